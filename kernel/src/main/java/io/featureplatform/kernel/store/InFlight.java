package io.featureplatform.kernel.store;

import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * A bound on requests under way: when it is reached the caller waits, which is how a slow store
 * slows the job down. One thread submits; waiting can be interrupted.
 *
 * <p>There are as many permits as requests may ever be under way. While the bound is lower, the
 * submitting thread withholds the rest; it gives them back before it waits for all.
 */
public final class InFlight {
  private final AdaptiveLimit limit;
  private final LongSupplier nanos;
  private final Semaphore permits;
  private volatile int withheld;
  private volatile Throwable failure;

  /** Bounds requests by a limit that stays as it is. */
  public InFlight(int limit) {
    this(AdaptiveLimit.fixed(limit));
  }

  /** Bounds requests by a limit that is told how long each takes. */
  public InFlight(AdaptiveLimit limit) {
    this(limit, System::nanoTime);
  }

  InFlight(AdaptiveLimit limit, LongSupplier nanos) {
    this.limit = limit;
    this.nanos = nanos;
    this.permits = new Semaphore(limit.max());
  }

  /**
   * Starts a request as soon as there is room.
   *
   * @throws IllegalStateException an earlier request failed
   */
  public void submit(Supplier<? extends CompletionStage<?>> request) throws InterruptedException {
    withhold(limit.max() - limit.current());
    permits.acquire();
    try {
      throwFailure();
      long start = nanos.getAsLong();
      int underWay = count();
      request
          .get()
          .whenComplete(
              (result, error) -> {
                if (error != null) {
                  failure = error;
                }
                permits.release();
                limit.ended(start, nanos.getAsLong() - start, underWay, error != null);
              });
    } catch (RuntimeException e) {
      permits.release();
      throw e;
    }
  }

  /**
   * Waits until nothing is under way; what the requests did happened before it returns.
   *
   * @throws IllegalStateException one of them failed
   */
  public void awaitAll() throws InterruptedException {
    withhold(0);
    permits.acquire(limit.max());
    permits.release(limit.max());
    throwFailure();
  }

  /** Returns how many requests are under way. */
  public int count() {
    return limit.max() - withheld - permits.availablePermits();
  }

  /** Returns how many may be under way now. */
  public int limit() {
    return limit.current();
  }

  /** Returns how long requests took lately, on average; 0 before the first. */
  public double latencyMs() {
    return limit.latencyMs();
  }

  /** Keeps so many permits from being used; waits until requests under way have given them. */
  private void withhold(int wanted) throws InterruptedException {
    int more = wanted - withheld;
    if (more > 0) {
      permits.acquire(more);
    } else {
      permits.release(-more);
    }
    withheld = wanted;
  }

  private void throwFailure() {
    if (failure != null) {
      throw new IllegalStateException("a request to the store failed", failure);
    }
  }
}
