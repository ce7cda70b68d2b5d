package io.featureplatform.kernel.store;

import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * A bound on requests under way: when it is reached the caller waits, which is how a slow store
 * slows the job down. One thread submits; waiting can be interrupted.
 */
public final class InFlight {
  /** How a thread waits for room; the tests' own one decides what completes meanwhile. */
  interface Waiting {
    void acquire(Semaphore permits, int count) throws InterruptedException;
  }

  private final int limit;
  private final Semaphore permits;
  private final Waiting waiting;
  private volatile Throwable failure;

  public InFlight(int limit) {
    this(limit, Semaphore::acquire);
  }

  InFlight(int limit, Waiting waiting) {
    this.limit = limit;
    this.permits = new Semaphore(limit);
    this.waiting = waiting;
  }

  /**
   * Starts a request as soon as there is room.
   *
   * @throws IllegalStateException an earlier request failed
   * @throws ClaimRefusedException because this job must not go on
   */
  public void submit(Supplier<? extends CompletionStage<?>> request) throws InterruptedException {
    waiting.acquire(permits, 1);
    try {
      throwFailure();
      request
          .get()
          .whenComplete(
              (result, error) -> {
                if (error != null) {
                  failure = error;
                }
                permits.release();
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
    waiting.acquire(permits, limit);
    permits.release(limit);
    throwFailure();
  }

  /** Returns how many requests may be under way. */
  public int limit() {
    return limit;
  }

  /** Returns how many requests are under way. */
  public int count() {
    return limit - permits.availablePermits();
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
