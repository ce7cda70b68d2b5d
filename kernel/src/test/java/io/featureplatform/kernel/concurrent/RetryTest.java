package io.featureplatform.kernel.concurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.StoreDownException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class RetryTest {
  private final ManualClock clock = new ManualClock(0);

  /** While the store is down an operation is repeated; its first success is the answer. */
  @Test
  void repeatsWhileDown() throws Exception {
    try (Retry retry = new Retry(1_000, clock)) {
      AtomicInteger starts = new AtomicInteger();
      assertEquals(3, retry.run(() -> failing(starts, 3)).get());
      assertEquals(2, retry.retries());
    }
  }

  /** After the limit the operation fails, saying how long the store was down. */
  @Test
  void givesUp() {
    try (Retry retry = new Retry(1_000, clock)) {
      CompletableFuture<Integer> result =
          retry.run(
              () -> {
                clock.advance(600);
                return failing(new AtomicInteger(), 9);
              });
      Throwable told = assertThrows(ExecutionException.class, result::get).getCause();
      assertInstanceOf(StoreDownException.class, told);
      assertTrue(told.getMessage().contains("1000 ms"), told.getMessage());
    }
  }

  /** What is wrong with the request itself is not repeated. */
  @Test
  void otherErrorsFailAtOnce() {
    try (Retry retry = new Retry(1_000, clock)) {
      var result =
          retry.run(() -> CompletableFuture.failedFuture(new IllegalArgumentException("no")));
      Throwable told = assertThrows(ExecutionException.class, result::get).getCause();
      assertInstanceOf(IllegalArgumentException.class, told);
      assertEquals(0, retry.retries());
    }
  }

  private static CompletableFuture<Integer> failing(AtomicInteger starts, int succeedsAt) {
    int start = starts.incrementAndGet();
    return start < succeedsAt
        ? CompletableFuture.failedFuture(new StoreDownException("down", null))
        : CompletableFuture.completedFuture(start);
  }
}
