package io.featureplatform.kernel.spark;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Keeps a thread at a number of rows per second, by waiting before what would be too early. */
final class Pace {
  /** How a thread waits; a test moves its clock. */
  interface Waiting {
    void sleep(long nanos) throws InterruptedException;
  }

  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

  private final int perSecond;
  private final LongSupplier nanos;
  private final Waiting waiting;
  private long dueNanos;

  /**
   * Starts now.
   *
   * @param perSecond 0: never wait
   */
  Pace(int perSecond) {
    this(perSecond, System::nanoTime, TimeUnit.NANOSECONDS::sleep);
  }

  Pace(int perSecond, LongSupplier nanos, Waiting waiting) {
    this.perSecond = perSecond;
    this.nanos = nanos;
    this.waiting = waiting;
    this.dueNanos = nanos.getAsLong();
  }

  /** Waits until this number of rows may be written; what was not used before is lost. */
  void await(int rows) throws InterruptedException {
    if (perSecond == 0) {
      return;
    }
    long early = dueNanos - nanos.getAsLong();
    if (early > 0) {
      waiting.sleep(early);
    }
    dueNanos += Math.max(0, -early) + rows * SECOND / perSecond;
  }
}
