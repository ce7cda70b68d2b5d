package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class WriteTimeTest {
  /** Attempt and flush come back from the timestamp. */
  @Property
  void roundTrip(
      @ForAll @IntRange(min = 1, max = WriteTime.ATTEMPT_MAX) int attempt,
      @ForAll @LongRange(min = 1, max = WriteTime.FLUSH_MAX) long flush) {
    long time = WriteTime.of(attempt, flush);
    assertEquals(attempt, WriteTime.attempt(time));
    assertEquals(flush, WriteTime.flush(time));
    assertTrue(time < 1L << 50);
  }

  /** The last flush of an attempt loses against the first of the next. */
  @Test
  void laterAttemptWins() {
    assertTrue(WriteTime.of(7, WriteTime.FLUSH_MAX) < WriteTime.of(8, 1));
  }

  /** Overflow of either part fails instead of running into the other. */
  @Test
  void overflowFails() {
    assertThrows(IllegalStateException.class, () -> WriteTime.of(1, WriteTime.FLUSH_MAX + 1));
    assertThrows(IllegalStateException.class, () -> WriteTime.of(WriteTime.ATTEMPT_MAX + 1, 1));
    assertThrows(IllegalStateException.class, () -> WriteTime.of(0, 1));
  }
}
