package io.featureplatform.kernel.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class FlushScheduleTest {
  private final FlushSchedule schedule = new FlushSchedule(1_300, 1_000);

  /** The next instant is later than now, on the grid of the start. */
  @Test
  void staysOnItsGrid() {
    assertEquals(2_300, schedule.after(1_300));
    assertEquals(2_300, schedule.after(2_299));
    assertEquals(3_300, schedule.after(2_300));
  }

  /** After a long flush the missed instants are left out. */
  @Test
  void skipsWhatWasMissed() {
    assertEquals(9_300, schedule.after(8_700));
  }

  /** A clock that was set back does not stop the flushes. */
  @Test
  void survivesAClockSetBack() {
    assertEquals(300, schedule.after(100));
  }

  /** An interval of nothing is refused. */
  @Test
  void needsAnInterval() {
    assertThrows(IllegalArgumentException.class, () -> new FlushSchedule(0, 0));
  }
}
