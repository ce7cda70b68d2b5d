package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.TileKey;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;

class TileKernelOperatorTest extends OnKernelRuns {
  /** Commands wait in heap; the schedule brings one batch per entity to the store. */
  @Test
  void flushesOnSchedule() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      recount.insert(run, "a", T0, 6);
      recount.insert(run, "b", T0, 7);
      assertEquals(0, world.store.batches());
      run.pass(Specs.FLUSH_MS);
      run.checkpoint(1);
      assertEquals(2, world.store.batches());
      recount.check(world);
    }
  }

  /** A large bundle does not wait for the schedule. */
  @Test
  void flushesWhenLarge() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      for (int i = 0; i < Specs.CHANGES_MAX - 1; i++) {
        recount.insert(run, "a", T0, i);
      }
      assertEquals(0, world.store.batches());
      recount.insert(run, "a", T0, 100);
      assertEquals(1, world.store.batches());
    }
  }

  /** The barrier brings everything to the store and is recorded as a part of a cut. */
  @Test
  void flushesAtTheBarrier() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(41);
      recount.check(world);
    }
    assertEquals(List.of(new CutPart(1, 41, "kernel-0", 1, null)), world.registry.parts());
  }

  /** The barrier does not pass before the store has acknowledged. */
  @Test
  void barrierWaitsForAcknowledgements() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      world.store.setHolding(true);
      AtomicBoolean released = new AtomicBoolean();
      CompletableFuture<Boolean> recordedBefore =
          CompletableFuture.supplyAsync(
              () -> {
                boolean recorded = !world.registry.parts().isEmpty();
                released.set(true);
                world.store.setHolding(false);
                return recorded;
              },
              CompletableFuture.delayedExecutor(200, TimeUnit.MILLISECONDS));
      run.preBarrier(1);
      assertTrue(released.get());
      assertFalse(recordedBefore.get());
    }
  }

  /** A cut that cannot be recorded fails nothing. */
  @Test
  void lostCutsAreTolerated() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      world.registry.setDown(true);
      run.checkpoint(1);
      recount.check(world);
    }
    assertEquals(List.of(), world.registry.parts());
  }

  /** Neither finishing nor closing nor a job that is cancelled writes anything (rule 12). */
  @Test
  void nothingIsWrittenAtTheEnd() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.finish();
    }
    assertEquals(List.of(), world.store.entities());
  }

  /** Between -U and +U an entity is not written, others are. */
  @Test
  void halfAnUpdateIsNotWritten() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      byte[] before = head("a");
      run.command(RowKind.UPDATE_BEFORE, "a", T0, 1, 5L);
      recount.insert(run, "b", T0, 1);
      run.pass(Specs.FLUSH_MS);
      assertArrayEquals(before, head("a"));
      assertEquals(List.of("a", "b"), world.store.entities());
      run.command(RowKind.UPDATE_AFTER, "a", T0, 2, 11L);
      recount.insert("a", T0, 6);
      run.pass(Specs.FLUSH_MS);
      recount.check(world);
    }
  }

  /** Minus without plus, as a filter above the aggregate makes it, is written at the barrier. */
  @Test
  void barrierTakesHalfUpdatesToo() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.command(RowKind.INSERT, "a", T0, 1, 9L);
      run.command(RowKind.UPDATE_BEFORE, "a", T0, 1, 9L);
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** Retractions of a query that lost its state only ever subtract what it had added. */
  @Test
  void deletesSubtract() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.command(RowKind.INSERT, "a", T0, 3, 30L);
      run.pass(Specs.FLUSH_MS);
      run.command(RowKind.DELETE, "a", T0, 3, 30L);
      run.pass(Specs.FLUSH_MS);
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** A closed tile that no window can reach any more is not written; TTL 0 would keep it. */
  @Test
  void unreachableTilesAreNotWritten() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0 - 90 * MINUTE, 5);
      recount.insert(run, "a", T0, 6);
      run.checkpoint(1);
    }
    TileKey minute = new TileKey(0, T0 - 90 * MINUTE);
    assertFalse(world.store.rows("a").containsKey(minute)); // Kept for 1 h.
    assertTrue(
        world.store.rows("a").keySet().stream().anyMatch(key -> key.level() == 1)); // For 2 h.
    recount.check(world);
  }

  /** Closed rows expire when their time is over, the head stays. */
  @Test
  void closedRowsExpire() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      recount.insert(run, "a", T0 + 10 * MINUTE, 5);
      run.checkpoint(1);
      assertEquals(3, world.store.rows("a").size());
      run.pass(3 * 3_600_000);
      assertEquals(List.of(TileStore.HEAD), List.copyOf(world.store.rows("a").keySet()));
    }
  }

  /** After a restore the state is the checkpoint's, and a replay writes the same again. */
  @Test
  void restoresAndReplays() throws Exception {
    OperatorSubtaskState state;
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      state = run.checkpoint(7);
      run.insert("a", T0, 6); // Reaches the store, but no checkpoint.
      run.pass(Specs.FLUSH_MS);
    }
    int reads = world.store.reads();
    try (KernelRun run = KernelRun.restored(world, state, 7)) {
      assertEquals(1, run.entitiesInState());
      recount.insert(run, "a", T0, 6);
      run.checkpoint(8);
      assertEquals(reads, world.store.reads());
      recount.check(world);
    }
    assertEquals(new Epoch(1, 7), world.attempts().get(1).start());
    assertEquals(2, WriteTime.attempt(world.store.rows("a").get(TileStore.HEAD).writeTime()));
  }

  /** A checkpoint holds what was, although flushes go on while it is written. */
  @Test
  void checkpointsAreNotChangedByLaterFlushes() throws Exception {
    OperatorSubtaskState first;
    try (KernelRun run = KernelRun.fresh(world)) {
      run.insert("a", T0, 5);
      first = run.checkpoint(1);
      run.insert("a", T0, 6);
      run.checkpoint(2);
    }
    World other = new World();
    KernelRun.fresh(other).close(); // Its registry knows the attempt, its store no rows.
    other.checkpoints.put(1L, 1);
    recount.insert("a", T0, 5);
    try (KernelRun run = KernelRun.restored(other, first, 1)) {
      recount.insert(run, "a", T0, 8);
      run.checkpoint(3);
      recount.check(other);
    }
  }

  /** A start that should continue a savepoint, but got no state, is refused. */
  @Test
  void lostSavepointStateIsRefused() {
    assertThrows(
        SuppressRestartsException.class, () -> KernelRun.fresh(world, Specs.json("savepoint")));
  }

  /** A job that finds rows of a later attempt has been replaced, and stops. */
  @Test
  void rowsOfALaterAttemptStopTheJob() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      world.store.write("a", List.of(RowWrite.head(new byte[0])), WriteTime.of(2, 1));
      run.insert("a", T0, 5);
      Throwable told =
          assertThrows(SuppressRestartsException.class, () -> run.preBarrier(1)).getCause();
      assertTrue(told.getMessage().contains("attempt 2"), told.getMessage());
    }
  }

  /** While the store is down the job waits; when it is back nothing is missing. */
  @Test
  void outlastsTheStore() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(1);
      world.store.setDown(true);
      recount.insert(run, "a", T0, 6); // Written from state.
      recount.insert(run, "b", T0, 7); // Read back first.
      CompletableFuture<Void> repaired =
          CompletableFuture.runAsync(
              () -> world.store.setDown(false),
              CompletableFuture.delayedExecutor(300, TimeUnit.MILLISECONDS));
      run.checkpoint(2);
      repaired.get();
      recount.check(world);
    }
  }

  /** A store that stays down fails the task, for Flink to restart it. */
  @Test
  void givesUpOnTheStore() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      world.store.setDown(true);
      CompletableFuture<Void> later =
          CompletableFuture.runAsync(
              () -> world.clock.advance(3_600_000),
              CompletableFuture.delayedExecutor(200, TimeUnit.MILLISECONDS));
      assertThrows(IllegalStateException.class, () -> run.preBarrier(1));
      later.get();
    }
  }

  /** Random events, late ones among them, through restarts with and without state. */
  @Test
  void equalsARecount() throws Exception {
    Random chance = new Random(7);
    OperatorSubtaskState state = null;
    for (int start = 0; start < 12; start++) {
      boolean fromState = state != null && chance.nextBoolean();
      long checkpoint = 100L * start;
      try (KernelRun run =
          fromState ? KernelRun.restored(world, state, checkpoint) : KernelRun.fresh(world)) {
        for (int i = 0; i < 400; i++) {
          long minutes = chance.nextInt(5) == 0 ? chance.nextInt(40) : 0;
          long tileMs = (world.clock.nowMs() / MINUTE - minutes) * MINUTE;
          recount.insert(run, "e" + chance.nextInt(20), tileMs, chance.nextInt(1000));
          run.pass(chance.nextInt(2_000));
        }
        state = run.checkpoint(checkpoint + 100);
      }
    }
    recount.check(world);
  }

  private byte[] head(String entity) {
    return world.store.rows(entity).get(TileStore.HEAD).payload();
  }
}
