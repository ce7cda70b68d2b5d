package io.featureplatform.kernel.flink.tiles;

/**
 * Instants of flushes, on a fixed grid: a flush that takes long does not shift the next ones, but
 * the next one gathers for at least as long, up to some intervals. So when the store is what limits
 * the job, more events share a write, and it catches up sooner.
 */
final class FlushSchedule {
  private static final int GATHERED_INTERVALS_MAX = 5;

  private final long startMs;
  private final long intervalMs;

  FlushSchedule(long startMs, long intervalMs) {
    if (intervalMs < 1) {
      throw new IllegalArgumentException("flush_interval_ms must be at least 1: " + intervalMs);
    }
    this.startMs = startMs;
    this.intervalMs = intervalMs;
  }

  /**
   * Returns the instant of the next flush.
   *
   * @param nowMs when the last one ended
   * @param tookMs how long it took
   */
  long after(long nowMs, long tookMs) {
    long from = nowMs + Math.min(tookMs, GATHERED_INTERVALS_MAX * intervalMs);
    return from + intervalMs - Math.floorMod(from - startMs, intervalMs);
  }
}
