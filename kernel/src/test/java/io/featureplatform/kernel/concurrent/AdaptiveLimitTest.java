package io.featureplatform.kernel.concurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AdaptiveLimitTest {
  private static final int MIN = 8;
  private static final int MAX = 64;
  private static final long TARGET_MS = 20;
  private static final int SAMPLES_A_WINDOW = 50;

  private final AdaptiveLimit limit = AdaptiveLimit.of(MIN, MAX, TARGET_MS);
  private long nowMs;

  /** It begins at its least, grows while the store is quick, and never beyond its most. */
  @Test
  void growsWhileRequestsAreQuick() {
    assertEquals(MIN, limit.current());
    windows(10, 5);
    assertTrue(limit.current() > MIN);
    windows(200, 5);
    assertEquals(MAX, limit.current());
  }

  /** It steps back while the store is slow, never below its least, and comes back after. */
  @Test
  void stepsBackWhileRequestsAreSlow() {
    windows(200, 5);
    windows(2, 25);
    int stepped = limit.current();
    assertTrue(stepped < MAX && stepped > MIN, "after two slow windows: " + stepped);
    windows(50, 25);
    assertEquals(MIN, limit.current());
    windows(10, 5);
    assertTrue(limit.current() > MIN);
  }

  /** One pause of the store is one step back, however many requests it held up. */
  @Test
  void onePauseIsOneStep() {
    windows(200, 5);
    sample(TARGET_MS * 100, MAX, MAX);
    windows(1, 5);
    assertTrue(limit.current() >= MAX * 3 / 4 - 1, "after one pause: " + limit.current());
  }

  /** It does not grow for a job that has no use for more. */
  @Test
  void staysWhereMoreIsOfNoUse() {
    for (int i = 0; i < 50; i++) {
      nowMs += 200;
      sample(5, 1, SAMPLES_A_WINDOW);
    }
    assertEquals(MIN, limit.current());
  }

  /** A request without an answer counts as too slow, however soon it failed. */
  @Test
  void failuresStepBack() {
    windows(200, 5);
    for (int i = 0; i < 50; i++) {
      nowMs += 200;
      for (int j = 0; j < SAMPLES_A_WINDOW; j++) {
        end(1, MAX, true);
      }
    }
    assertEquals(MIN, limit.current());
  }

  /** Without a target it is fixed. */
  @Test
  void withoutTargetItIsFixed() {
    AdaptiveLimit fixed = AdaptiveLimit.of(MIN, MAX, 0);
    for (int i = 0; i < 1_000; i++) {
      fixed.ended(i * 1_000_000_000L, 900_000_000L, MAX, true);
    }
    assertEquals(MAX, fixed.current());
    assertEquals(7, AdaptiveLimit.of(7, 7, TARGET_MS).current());
  }

  /** What is shown follows the latency. */
  @Test
  void showsTheLatency() {
    assertEquals(0.0, limit.latencyMs());
    windows(20, 5);
    assertEquals(5.0, limit.latencyMs(), 0.5);
    windows(20, 40);
    assertEquals(40.0, limit.latencyMs(), 4.0);
  }

  /** A limit that would allow nothing is refused with its values. */
  @Test
  void nothingIsRefused() {
    Throwable told =
        assertThrows(IllegalArgumentException.class, () -> AdaptiveLimit.of(0, MAX, TARGET_MS));
    assertEquals("invalid limits: min 0, max 64; 1 <= min <= max must hold", told.getMessage());
    assertThrows(IllegalArgumentException.class, () -> AdaptiveLimit.of(9, 8, TARGET_MS));
  }

  /** A window with few requests tells nothing. */
  @Test
  void fewRequestsChangeNothing() {
    windows(200, 5);
    for (int i = 0; i < 100; i++) {
      nowMs += 1_100;
      sample(TARGET_MS * 10, 1, 5);
    }
    assertEquals(MAX, limit.current());
  }

  /** Whatever the latencies are, the limit stays between its bounds. */
  @Property(tries = 200)
  void staysBetweenItsBounds(
      @ForAll @Size(min = 1, max = 60) List<@IntRange(min = 0, max = 60_000) Integer> latencies,
      @ForAll @IntRange(min = 1, max = 50) int min,
      @ForAll @IntRange(min = 0, max = 60) int more) {
    AdaptiveLimit drawn = AdaptiveLimit.of(min, min + more, TARGET_MS);
    long at = 0;
    for (int latencyUs : latencies) {
      at += TimeUnit.MILLISECONDS.toNanos(1_100);
      long took = TimeUnit.MICROSECONDS.toNanos(latencyUs);
      for (int i = 0; i < SAMPLES_A_WINDOW; i++) {
        drawn.ended(at + i, took, drawn.current(), latencyUs % 7 == 0);
      }
      int now = drawn.current();
      assertFalse(now < min || now > min + more, "limit " + now);
    }
  }

  /** Lets windows pass in which requests took so long, with the limit used up. */
  private void windows(int count, long latencyMs) {
    for (int i = 0; i < count; i++) {
      nowMs += 1_100;
      sample(latencyMs, limit.current(), SAMPLES_A_WINDOW);
    }
  }

  private void sample(long latencyMs, int inFlight, int count) {
    for (int i = 0; i < count; i++) {
      end(latencyMs, inFlight, false);
    }
  }

  private void end(long latencyMs, int inFlight, boolean failed) {
    limit.ended(
        TimeUnit.MILLISECONDS.toNanos(nowMs),
        TimeUnit.MILLISECONDS.toNanos(latencyMs),
        inFlight,
        failed);
  }
}
