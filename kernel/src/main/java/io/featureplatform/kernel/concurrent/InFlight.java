package io.featureplatform.kernel.concurrent;

import io.featureplatform.kernel.store.ClaimRefusedException;
import java.util.concurrent.CompletionException;
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
  /** How a thread waits for room; the tests' own one decides what completes meanwhile. */
  interface Waiting {
    void acquire(Semaphore permits, int count) throws InterruptedException;
  }

  private final AdaptiveLimit limit;
  private final LongSupplier nanos;
  private final Semaphore permits;
  private final Waiting waiting;
  private volatile int withheld;
  private volatile Throwable failure;

  /** Bounds requests by a limit that stays as it is. */
  public InFlight(int limit) {
    this(AdaptiveLimit.fixed(limit));
  }

  InFlight(int limit, Waiting waiting) {
    this(AdaptiveLimit.fixed(limit), System::nanoTime, waiting);
  }

  /** Bounds requests by a limit that learns how long each takes. */
  public InFlight(AdaptiveLimit limit) {
    this(limit, System::nanoTime);
  }

  InFlight(AdaptiveLimit limit, LongSupplier nanos) {
    this(limit, nanos, Semaphore::acquire);
  }

  private InFlight(AdaptiveLimit limit, LongSupplier nanos, Waiting waiting) {
    this.limit = limit;
    this.nanos = nanos;
    this.permits = new Semaphore(limit.max());
    this.waiting = waiting;
  }

  /**
   * Starts a request as soon as there is room.
   *
   * @throws IllegalStateException an earlier request failed
   * @throws ClaimRefusedException because this job must not continue
   */
  public void submit(Supplier<? extends CompletionStage<?>> request) throws InterruptedException {
    withhold(limit.max() - limit.current());
    waiting.acquire(permits, 1);
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
    waiting.acquire(permits, limit.max());
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

  /**
   * Keeps this number of permits from being used; waits until requests under way have given them.
   */
  private void withhold(int wanted) throws InterruptedException {
    int more = wanted - withheld;
    if (more > 0) {
      waiting.acquire(permits, more);
    } else {
      permits.release(-more);
    }
    withheld = wanted;
  }

  private void throwFailure() {
    if (failure != null) {
      throw failure instanceof CompletionException wrapped
          ? failed(wrapped.getCause())
          : failed(failure);
    }
  }

  private static RuntimeException failed(Throwable cause) {
    return cause instanceof ClaimRefusedException refused
        ? refused
        : new IllegalStateException("a request to the store failed", cause);
  }
}
