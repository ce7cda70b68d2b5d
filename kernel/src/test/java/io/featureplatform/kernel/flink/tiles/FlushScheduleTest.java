package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class FlushScheduleTest {
  private final FlushSchedule schedule = new FlushSchedule(1_300, 1_000);

  /** The next instant is later than now, on the grid of the start. */
  @Test
  void staysOnItsGrid() {
    assertEquals(2_300, schedule.after(1_300, 0));
    assertEquals(2_300, schedule.after(2_299, 0));
    assertEquals(3_300, schedule.after(2_300, 0));
  }

  /** After a long flush the missed instants are left out. */
  @Test
  void skipsWhatWasMissed() {
    assertEquals(9_300, schedule.after(8_700, 0));
  }

  /** What was gathered for a short time and took long to write is gathered for longer. */
  @Test
  void gathersAsLongAsTheFlushTook() {
    assertEquals(9_300, schedule.after(8_300 + 400, 400));
    assertEquals(10_300, schedule.after(8_300 + 600, 600));
    assertEquals(14_300, schedule.after(8_300 + 2_700, 2_700));
  }

  /** A store that was down for an hour does not let the next flush wait for an hour. */
  @Test
  void gathersForSomeIntervalsAtMost() {
    assertEquals(3_600_000 + 6_300, schedule.after(3_600_300, 3_600_000));
  }

  /** A clock that was set back does not stop the flushes. */
  @Test
  void survivesAClockSetBack() {
    assertEquals(300, schedule.after(100, 0));
  }

  /** An interval of nothing is refused. */
  @Test
  void needsAnInterval() {
    assertThrows(IllegalArgumentException.class, () -> new FlushSchedule(0, 0));
  }
}
