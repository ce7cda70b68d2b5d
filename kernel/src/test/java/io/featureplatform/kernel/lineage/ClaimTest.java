package io.featureplatform.kernel.lineage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Offsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Where a job may start from, and since when rows may be dirty there. */
@Timeout(60)
class ClaimTest {
  private static final String OURS = "deployment-a";
  private static final long HOUR_MS = 3_600_000;
  private static final long UNDO_TTL_MS = 12 * HOUR_MS;
  private static final long T0 = 1_700_000_000_000L;
  private static final Offsets ENDS = at(100);

  private final ManualClock clock = new ManualClock(T0);
  private final Retry retry = new Retry(1_000, clock);
  private final MemoryRegistry registry = new MemoryRegistry(OURS);
  private int executions;

  @AfterEach
  void closeRetry() {
    retry.close();
  }

  private static Offsets at(long offset) {
    return new Offsets(Map.of("t/0", offset));
  }

  private Attempt claim(Origin origin) throws InterruptedException {
    return claim(origin, OURS, false, Age.NEVER);
  }

  private Attempt claim(Origin origin, String deployment, boolean clean, long acceptedMs)
      throws InterruptedException {
    executions++;
    return new Claim(registry, retry, clock)
        .claim(
            new Claim.Request(
                "posts",
                "run/" + executions,
                deployment,
                origin,
                clean,
                new Age(UNDO_TTL_MS, acceptedMs),
                () -> ENDS))
        .attempt();
  }

  private Origin checkpoint(int attempt, long id, long position) {
    Epoch epoch = new Epoch(attempt, id);
    return Origin.restored(epoch, epoch, clock.nowMs(), at(position));
  }

  /** The row tells what a later writer must know. */
  @Test
  void theAttemptTellsAll() throws Exception {
    claim(Origin.genesis());
    clock.advance(10);
    Attempt second = claim(checkpoint(1, 17, 40), OURS, false, Age.NEVER);
    assertEquals(new Epoch(1, 17), second.start());
    assertEquals(17, second.baseCheckpointId());
    assertEquals(18, second.firstCheckpointId());
    assertEquals(ENDS, second.endOffsets());
    assertEquals(T0 + 10, second.claimedMs());
    assertEquals(T0 + 10, second.dirtySinceMs());
    assertEquals(Attempt.STREAM, second.kind());
    assertFalse(second.clean());
  }

  /** A cut whose checkpoint was aborted is dead once a later start has passed it by (rule 6). */
  @Test
  void deadEpochsAreRefused() throws Exception {
    claim(Origin.genesis());
    claim(checkpoint(1, 4, 40)); // The cut (1, 5) was recorded, its checkpoint aborted.
    Throwable told =
        assertThrows(
            ClaimRefusedException.class, () -> claim(Origin.cut(new Epoch(1, 5), clock.nowMs())));
    assertTrue(
        told.getMessage().contains("(1," + " 5)")
            || told.getMessage().contains("attempt 1 at checkpoint 5"));
    assertEquals(3, claim(Origin.cut(new Epoch(1, 3), clock.nowMs())).number());
    assertThrows(ClaimRefusedException.class, () -> claim(checkpoint(2, 9, 40)));
  }

  /** What rewrote rows without undo may not be passed by (rules 9 and 10). */
  @Test
  void sweepsAndRepairsAreNotPassedBy() throws Exception {
    claim(Origin.genesis());
    for (String kind : new String[] {"sweep", "repair"}) {
      int number = executions + 1;
      executions++;
      Epoch before = new Epoch(number - 1, 1);
      assertTrue(
          registry
              .insert(
                  new Attempt(number, kind, OURS, kind, before, ENDS, T0, 0, clock.nowMs(), true))
              .toCompletableFuture()
              .get());
      assertThrows(
          ClaimRefusedException.class, () -> claim(Origin.cut(before, clock.nowMs())), kind);
      executions--;
      claim(Origin.cut(new Epoch(number, 1), clock.nowMs()));
    }
  }

  /** A checkpoint of an attempt that has recovered is dirty since its own time. */
  @Test
  void recoveredCheckpointsAreYoung() throws Exception {
    claim(Origin.genesis());
    clock.advance(HOUR_MS);
    claim(checkpoint(1, 4, 40));
    clock.advance(HOUR_MS);
    long takenMs = clock.nowMs();
    Origin recovered = checkpoint(2, 9, 100);
    clock.advance(HOUR_MS);
    assertEquals(takenMs, claim(recovered).dirtySinceMs());
  }

  /** A chain of checkpoints none of which has recovered is as old as its first link (rule 8). */
  @Test
  void unrecoveredCheckpointsInheritTheirAge() throws Exception {
    claim(Origin.genesis());
    Origin first = checkpoint(1, 4, 40);
    for (int attempt = 2; attempt < 6; attempt++) {
      clock.advance(2 * HOUR_MS);
      assertEquals(T0, claim(first).dirtySinceMs());
      first = checkpoint(attempt, 4 + attempt, 99); // One event before the end.
    }
    clock.advance(4 * HOUR_MS);
    Origin tooOld = first;
    Throwable told = assertThrows(Age.TooOldException.class, () -> claim(tooOld));
    assertTrue(told.getMessage().contains("fp recover posts --from store --accept-age"));
    assertEquals(6, claim(tooOld, OURS, false, clock.nowMs()).number());
  }

  /** After an outage longer than undo rows are kept a person is asked, Flink's restarts too. */
  @Test
  void longOutagesAreAsked() throws Exception {
    claim(Origin.genesis());
    Origin checkpoint = checkpoint(1, 4, 40);
    clock.advance(11 * HOUR_MS);
    assertEquals(2, claim(checkpoint).number());
    clock.advance(1);
    assertThrows(Age.TooOldException.class, () -> claim(checkpoint));
  }

  /** An acceptance is for what was left by then: the next long outage is asked again. */
  @Test
  void acceptancesEnd() throws Exception {
    claim(Origin.genesis());
    Origin old = checkpoint(1, 4, 40);
    clock.advance(13 * HOUR_MS);
    long acceptedMs = clock.nowMs();
    assertEquals(2, claim(old, OURS, false, acceptedMs).number());
    clock.advance(HOUR_MS);
    Origin recovered = checkpoint(2, 9, 100);
    clock.advance(11 * HOUR_MS);
    assertEquals(3, claim(recovered, OURS, false, acceptedMs).number());
    clock.advance(1);
    assertThrows(Age.TooOldException.class, () -> claim(recovered, OURS, false, acceptedMs));
  }

  /** What the accepted job itself left before it recovered ages from the acceptance on. */
  @Test
  void acceptancesAgeThemselves() throws Exception {
    claim(Origin.genesis());
    Origin old = checkpoint(1, 4, 40);
    clock.advance(13 * HOUR_MS);
    long acceptedMs = clock.nowMs();
    claim(old, OURS, false, acceptedMs);
    Origin unrecovered = checkpoint(2, 9, 99);
    clock.advance(11 * HOUR_MS);
    assertEquals(3, claim(unrecovered, OURS, false, acceptedMs).number());
    clock.advance(1);
    assertThrows(Age.TooOldException.class, () -> claim(unrecovered, OURS, false, acceptedMs));
  }

  /** A job that was stopped for days has left nothing behind, until it has started again. */
  @Test
  void cleanStopsDoNotAge() throws Exception {
    claim(Origin.genesis());
    Origin savepoint = checkpoint(1, 4, 100);
    clock.advance(72 * HOUR_MS);
    registry.setOwner("next");
    Attempt first = claim(savepoint, "next", true, Age.NEVER);
    assertTrue(first.clean());
    assertEquals(clock.nowMs(), first.dirtySinceMs());
    clock.advance(HOUR_MS);
    Attempt restarted = claim(savepoint, "next", true, Age.NEVER);
    assertFalse(restarted.clean());
    assertEquals(first.claimedMs(), restarted.dirtySinceMs());
    clock.advance(11 * HOUR_MS);
    assertThrows(Age.TooOldException.class, () -> claim(savepoint, "next", true, Age.NEVER));
  }

  /** What a sweep has not reached is as old as the savepoint that it goes back to. */
  @Test
  void sweepsDoNotMakeYoung() throws Exception {
    claim(Origin.genesis());
    long takenMs = clock.nowMs();
    clock.advance(5 * HOUR_MS);
    Epoch savepoint = new Epoch(1, 4);
    registry.setOwner("next");
    registry
        .insert(new Attempt(2, "sweep", "next", "sweep", savepoint, ENDS, T0, 0, takenMs, true))
        .toCompletableFuture()
        .get();
    Origin swept = Origin.restored(savepoint, new Epoch(2, 1), takenMs, at(100));
    Attempt attempt = claim(swept, "next", true, Age.NEVER);
    assertEquals(new Epoch(2, 1), attempt.start());
    assertEquals(4, attempt.baseCheckpointId());
    assertEquals(takenMs, attempt.dirtySinceMs());
    assertTrue(attempt.clean(), "the sweep before it is no job that may still write");
    assertFalse(claim(swept, "next", true, Age.NEVER).clean());
  }

  /** The kernel waits until an intake of its run has claimed, and must start from the same. */
  @Test
  void kernelsWaitForTheIntake() throws Exception {
    Claim claim = new Claim(registry, retry, clock);
    CompletableFuture<Claimed> waiting =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return claim.await("run/1", Origin.genesis());
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    claim(Origin.genesis());
    assertEquals(1, waiting.get().attempt().number());
    assertThrows(ClaimRefusedException.class, () -> claim.await("run/1", checkpoint(1, 4, 40)));
  }

  /** If no intake ever claims, the kernel says so instead of waiting for ever. */
  @Test
  void kernelsDoNotWaitForEver() {
    Claim claim = new Claim(registry, retry, clock);
    CompletableFuture<Claimed> waiting =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return claim.await("run/1", Origin.genesis());
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    CompletableFuture<Void> later =
        CompletableFuture.runAsync(
            () -> clock.advance(Claim.WAIT_MS_MAX + 1),
            CompletableFuture.delayedExecutor(100, java.util.concurrent.TimeUnit.MILLISECONDS));
    Throwable told = assertThrows(ExecutionException.class, waiting::get).getCause();
    assertTrue(told.getMessage().contains("intake did not claim"), told.getMessage());
    later.join();
  }
}
