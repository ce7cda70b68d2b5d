package io.featureplatform.kernel.flink;

/** Fixed instants of flushes: a flush that takes long does not shift the next ones. */
final class FlushSchedule {
  private final long startMs;
  private final long intervalMs;

  FlushSchedule(long startMs, long intervalMs) {
    if (intervalMs < 1) {
      throw new IllegalArgumentException("flush_interval_ms must be at least 1: " + intervalMs);
    }
    this.startMs = startMs;
    this.intervalMs = intervalMs;
  }

  /** Returns the first scheduled instant after this one. */
  long after(long nowMs) {
    return nowMs + intervalMs - Math.floorMod(nowMs - startMs, intervalMs);
  }
}
