package io.featureplatform.kernel.concurrent;

import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.StoreDownException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Repeats what failed with {@link StoreDownException}, with growing pauses, until it succeeds or
 * the time is up. A store that is down thus stops progress instead of failing the job.
 */
public final class Retry implements AutoCloseable {
  /** Something that may be started again and again. */
  @FunctionalInterface
  public interface Operation<T> {
    CompletionStage<T> start();
  }

  private static final Logger LOG = LoggerFactory.getLogger(Retry.class);
  private static final long PAUSE_MIN_MS = 50;
  private static final long PAUSE_MAX_MS = 2_000;
  private static final long LOG_INTERVAL_MS = 10_000;

  private final long limitMs;
  private final Clock clock;
  private final ScheduledExecutorService timer;
  private final AtomicLong retries = new AtomicLong();
  private final AtomicLong loggedMs = new AtomicLong(Long.MIN_VALUE / 2);

  /**
   * Starts a daemon thread for the pauses; {@link #close()} ends it.
   *
   * @param limitMs how long an operation is repeated, counted from its first failure
   */
  public Retry(long limitMs, Clock clock) {
    this.limitMs = limitMs;
    this.clock = clock;
    this.timer = DaemonTimer.start("fp-store-retry");
  }

  /** Returns how often something was repeated so far. */
  public long retries() {
    return retries.get();
  }

  /** Starts the operation, and again while the store is down. */
  public <T> CompletableFuture<T> run(Operation<T> operation) {
    CompletableFuture<T> result = new CompletableFuture<>();
    new Run<>(operation, result).start();
    return result;
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  private void log(Throwable error) {
    long now = clock.nowMs();
    long last = loggedMs.get();
    if (now - last >= LOG_INTERVAL_MS && loggedMs.compareAndSet(last, now)) {
      LOG.warn("The store is down; retrying for up to {} ms: {}", limitMs, error.getMessage());
    }
  }

  private final class Run<T> {
    private final Operation<T> operation;
    private final CompletableFuture<T> result;
    private long deadlineMs = Long.MAX_VALUE;
    private long pauseMs = PAUSE_MIN_MS;

    Run(Operation<T> operation, CompletableFuture<T> result) {
      this.operation = operation;
      this.result = result;
    }

    void start() {
      try {
        operation.start().whenComplete(this::done);
      } catch (RuntimeException e) {
        done(null, e);
      }
    }

    private void done(T value, Throwable error) {
      if (error == null) {
        result.complete(value);
        return;
      }
      Throwable cause = error instanceof CompletionException ? error.getCause() : error;
      if (cause instanceof StoreDownException) {
        again(cause);
      } else {
        result.completeExceptionally(cause);
      }
    }

    private void again(Throwable cause) {
      long now = clock.nowMs();
      deadlineMs = deadlineMs == Long.MAX_VALUE ? now + limitMs : deadlineMs;
      if (now >= deadlineMs || timer.isShutdown()) {
        result.completeExceptionally(
            new StoreDownException("the store was down for more than " + limitMs + " ms", cause));
        return;
      }
      log(cause);
      retries.incrementAndGet();
      long pause = pauseMs;
      pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
      try {
        var unused = timer.schedule(this::start, pause, TimeUnit.MILLISECONDS);
      } catch (java.util.concurrent.RejectedExecutionException closed) {
        result.completeExceptionally(cause);
      }
    }
  }
}
