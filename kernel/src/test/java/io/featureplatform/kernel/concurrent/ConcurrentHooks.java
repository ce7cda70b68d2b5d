package io.featureplatform.kernel.concurrent;

import java.util.concurrent.Semaphore;

/** What the model of the whole job needs of this package and production code must not touch. */
public final class ConcurrentHooks {
  private ConcurrentHooks() {}

  /** How a thread waits for room. */
  public interface Waiting {
    void acquire(Semaphore permits, int count);
  }

  /** Returns a bound on requests whose waiting is done by the caller. */
  public static InFlight inFlight(int limit, Waiting waiting) {
    return new InFlight(limit, waiting::acquire);
  }
}
