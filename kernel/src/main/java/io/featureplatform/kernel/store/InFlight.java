package io.featureplatform.kernel.store;

import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * A bound on requests under way: when it is reached the caller waits, which is how a slow store
 * slows the job down. One thread submits; waiting can be interrupted.
 *
 * <p>The bound may change at any time. Waiting for all looks at the number under way alone, so it
 * never depends on the bound.
 */
public final class InFlight {
  private final AdaptiveLimit limit;
  private final LongSupplier nanos;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition ended = lock.newCondition();
  private int count;
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
  }

  /**
   * Starts a request as soon as there is room.
   *
   * @throws IllegalStateException an earlier request failed
   */
  public void submit(Supplier<? extends CompletionStage<?>> request) throws InterruptedException {
    begin();
    try {
      throwFailure();
      long start = nanos.getAsLong();
      request.get().whenComplete((result, error) -> ended(start, error));
    } catch (RuntimeException e) {
      end();
      throw e;
    }
  }

  /**
   * Waits until nothing is under way; what the requests did happened before it returns.
   *
   * @throws IllegalStateException one of them failed
   */
  public void awaitAll() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (count > 0) {
        ended.await();
      }
    } finally {
      lock.unlock();
    }
    throwFailure();
  }

  /** Returns how many requests are under way. */
  public int count() {
    lock.lock();
    try {
      return count;
    } finally {
      lock.unlock();
    }
  }

  /** Returns how many may be under way now. */
  public int limit() {
    return limit.current();
  }

  /** Returns how long requests took lately, on average; 0 before the first. */
  public double latencyMs() {
    return limit.latencyMs();
  }

  private void begin() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (count >= limit.current()) {
        ended.await();
      }
      count++;
    } finally {
      lock.unlock();
    }
  }

  private void ended(long start, Throwable error) {
    if (error != null) {
      failure = error;
    }
    limit.ended(start, nanos.getAsLong() - start, end(), error != null);
  }

  /** Gives room for another; returns how many there were. */
  private int end() {
    lock.lock();
    try {
      ended.signalAll();
      return count--;
    } finally {
      lock.unlock();
    }
  }

  private void throwFailure() {
    if (failure != null) {
      throw new IllegalStateException("a request to the store failed", failure);
    }
  }
}
