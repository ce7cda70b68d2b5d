package io.featureplatform.kernel.store;

import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * A bound on requests under way: when it is reached the caller waits, which is how a slow store
 * slows the job down. One thread submits; waiting can be interrupted.
 */
public final class InFlight {
  private final int limit;
  private final Semaphore permits;
  private volatile Throwable failure;

  public InFlight(int limit) {
    this.limit = limit;
    this.permits = new Semaphore(limit);
  }

  /**
   * Starts a request as soon as there is room.
   *
   * @throws IllegalStateException an earlier request failed
   */
  public void submit(Supplier<? extends CompletionStage<?>> request) throws InterruptedException {
    permits.acquire();
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
    permits.acquire(limit);
    permits.release(limit);
    throwFailure();
  }

  /** Returns how many requests are under way. */
  public int count() {
    return limit - permits.availablePermits();
  }

  private void throwFailure() {
    if (failure != null) {
      throw new IllegalStateException("a request to the store failed", failure);
    }
  }
}
