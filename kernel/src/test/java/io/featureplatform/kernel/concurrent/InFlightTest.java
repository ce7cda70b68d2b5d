package io.featureplatform.kernel.concurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class InFlightTest {
  /** A submission above the limit waits for an earlier request to end. */
  @Test
  void waitsAtTheLimit() throws Exception {
    InFlight inFlight = new InFlight(2);
    List<CompletableFuture<Void>> requests = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      requests.add(new CompletableFuture<>());
    }
    Thread submitter =
        new Thread(
            () -> {
              for (CompletableFuture<Void> request : requests) {
                try {
                  inFlight.submit(() -> request);
                } catch (InterruptedException e) {
                  return;
                }
              }
            });
    submitter.start();
    submitter.join(200);
    assertTrue(submitter.isAlive());
    assertEquals(2, inFlight.count());
    requests.get(1).complete(null);
    submitter.join();
    assertEquals(2, inFlight.count());
  }

  /** Waiting for all returns after the last request has ended. */
  @Test
  void awaitsAll() throws Exception {
    InFlight inFlight = new InFlight(4);
    AtomicBoolean ended = new AtomicBoolean();
    inFlight.submit(
        () ->
            CompletableFuture.runAsync(
                () -> ended.set(true),
                CompletableFuture.delayedExecutor(50, TimeUnit.MILLISECONDS)));
    inFlight.awaitAll();
    assertTrue(ended.get());
  }

  /** A failed request fails the wait, and every submission after it. */
  @Test
  void failureIsTold() throws Exception {
    InFlight inFlight = new InFlight(1);
    inFlight.submit(() -> CompletableFuture.failedFuture(new IllegalArgumentException("no")));
    Throwable told = assertThrows(IllegalStateException.class, inFlight::awaitAll);
    assertEquals("no", told.getCause().getMessage());
    assertThrows(
        IllegalStateException.class,
        () -> inFlight.submit(() -> CompletableFuture.completedFuture(null)));
    assertEquals(0, inFlight.count());
  }

  /** A wait ends when its thread is interrupted, as a cancelled task's is. */
  @Test
  void waitCanBeInterrupted() throws Exception {
    InFlight inFlight = new InFlight(1);
    inFlight.submit(CompletableFuture<Void>::new);
    AtomicBoolean returned = new AtomicBoolean();
    Thread waiter =
        new Thread(
            () -> {
              try {
                inFlight.awaitAll();
                returned.set(true);
              } catch (InterruptedException expected) {
                Thread.currentThread().interrupt();
              }
            });
    waiter.start();
    waiter.interrupt();
    waiter.join();
    assertFalse(returned.get());
  }

  /** However the bound moves, every request is started, the bound holds, and waiting ends. */
  @Test
  void neverHangsWhileTheBoundMoves() throws Exception {
    AtomicLong now = new AtomicLong();
    Random random = new Random(5);
    AdaptiveLimit limit = AdaptiveLimit.of(1, 16, 10);
    InFlight inFlight = new InFlight(limit, now::get);
    AtomicInteger underWay = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    AtomicInteger done = new AtomicInteger();
    ExecutorService answering = Executors.newFixedThreadPool(4);
    for (int round = 0; round < 400; round++) {
      for (int i = 0; i < 25; i++) {
        int slow = round % 50 < 25 ? 40 : 1;
        int took = random.nextInt(slow * 2) + 1;
        inFlight.submit(
            () -> {
              most.accumulateAndGet(underWay.incrementAndGet(), Math::max);
              return CompletableFuture.runAsync(
                  () -> {
                    now.addAndGet(TimeUnit.MILLISECONDS.toNanos(took));
                    underWay.decrementAndGet();
                    done.incrementAndGet();
                  },
                  answering);
            });
      }
      inFlight.awaitAll();
      assertEquals((round + 1) * 25, done.get());
      assertEquals(0, inFlight.count());
    }
    answering.shutdown();
    assertTrue(most.get() <= 16, "at most " + most);
  }
}
