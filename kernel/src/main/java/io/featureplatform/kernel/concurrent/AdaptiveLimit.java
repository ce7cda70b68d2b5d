package io.featureplatform.kernel.concurrent;

import com.netflix.concurrency.limits.Limit;
import com.netflix.concurrency.limits.limit.AIMDLimit;
import com.netflix.concurrency.limits.limit.FixedLimit;
import com.netflix.concurrency.limits.limit.WindowedLimit;
import java.util.concurrent.TimeUnit;

/**
 * How many requests may be under way at once, between a least and a most. It grows by one each
 * window in which requests took less than the target on average and there was a use for more, and
 * falls to three quarters after a window in which they took longer: so a job steps back when the
 * store has other work. A window with less than ten requests changes nothing. Beside the rule,
 * which is a library's, it keeps what the gauges show.
 *
 * <p>See docs/isolation.md for why this rule, and what others did. Safe for use by threads.
 */
public final class AdaptiveLimit {
  private static final double BACKOFF = 0.75;

  /** The library takes no shorter one; a pause of the store thus counts once, not per request. */
  private static final long WINDOW_MIN_MS = 100;

  private static final long WINDOW_MAX_MS = 1_000;

  /** The weight of a new request in the latency that is shown. */
  private static final double SHOWN_WEIGHT = 0.02;

  private static final double NANOS_PER_MS = 1e6;

  private final Limit limit;
  private final int max;
  private volatile double latencyMs;

  private AdaptiveLimit(Limit limit, int max) {
    this.limit = limit;
    this.max = max;
  }

  /** Returns a limit that stays as it is. */
  public static AdaptiveLimit fixed(int value) {
    return new AdaptiveLimit(FixedLimit.of(value), value);
  }

  /**
   * Returns a limit that begins at its least and follows the latency.
   *
   * @param min at least one, so that requests never stop
   * @param max not below {@code min}
   * @param targetMs latency above which it steps back; 0: stay at {@code max}
   */
  public static AdaptiveLimit of(int min, int max, long targetMs) {
    if (min < 1 || max < min) {
      throw new IllegalArgumentException(
          "invalid limits: min %d, max %d; 1 <= min <= max must hold".formatted(min, max));
    }
    if (targetMs <= 0 || min == max) {
      return fixed(max);
    }
    return new AdaptiveLimit(
        WindowedLimit.newBuilder()
            .minWindowTime(WINDOW_MIN_MS, TimeUnit.MILLISECONDS)
            .maxWindowTime(WINDOW_MAX_MS, TimeUnit.MILLISECONDS)
            .build(
                AIMDLimit.newBuilder()
                    .initialLimit(min)
                    .minLimit(min)
                    .maxLimit(max)
                    .backoffRatio(BACKOFF)
                    .timeout(targetMs, TimeUnit.MILLISECONDS)
                    .build()),
        max);
  }

  /** Returns what the limit never exceeds. */
  public int max() {
    return max;
  }

  /** Returns the limit of now. */
  public int current() {
    return limit.getLimit();
  }

  /** Returns how long requests took lately, on average; 0 before the first. */
  public double latencyMs() {
    return latencyMs;
  }

  /**
   * Takes note of a request that has ended.
   *
   * @param startNanos when it began, on a clock that never goes back
   * @param tookNanos how long it took
   * @param inFlight how many were under way with it
   * @param failed it has no answer; counts as too slow
   */
  void ended(long startNanos, long tookNanos, int inFlight, boolean failed) {
    double tookMs = tookNanos / NANOS_PER_MS;
    double before = latencyMs;
    latencyMs = before == 0 ? tookMs : before + SHOWN_WEIGHT * (tookMs - before);
    limit.onSample(startNanos, tookNanos, inFlight, failed);
  }
}
