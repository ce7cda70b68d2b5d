package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a flush of the operator reads from the store, and what it need not read. */
class FlushReadsTest extends OnKernelRuns {
  /** What is in state is not read again; what is not is read back once. */
  @Test
  void readsBackOnMissAlone() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      assertEquals(1, world.store.reads());
      recount.insert(run, "a", T0 + MINUTE, 5);
      run.pass(Specs.FLUSH_MS);
      assertEquals(1, world.store.reads());
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** A flush writes nothing while it reads: its reads would queue behind its writes. */
  @Test
  void readsBeforeItWrites() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      world.store.setHolding(true);
      recount.insert(run, "a", T0, 6);
      recount.insert(run, "b", T0, 7);
      run.pass(Specs.FLUSH_MS);
      assertEquals(2, world.store.reads());
      assertEquals(0, world.store.readsBehindWrites());
      world.store.setHolding(false);
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** Entities that are not in state are read at the same time, as many as may be under way. */
  @ParameterizedTest
  @CsvSource({"3, 3", "10, 4"})
  void coldEntitiesAreReadAtOnce(int entities, int atOnce) throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      for (int i = 0; i < entities; i++) {
        recount.insert(run, "e" + i, T0, i);
      }
      world.store.setHoldingReads(true);
      Thread flushing = Thread.currentThread();
      CompletableFuture<Integer> held =
          CompletableFuture.supplyAsync(() -> letReadsGoOnceItWaits(flushing));
      run.pass(Specs.FLUSH_MS);
      assertEquals(atOnce, held.get());
      assertEquals(entities, world.store.reads());
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** Returns how many reads were under way when the flush could do no more. */
  private int letReadsGoOnceItWaits(Thread flushing) {
    while (world.store.readsHeld() == 0 || flushing.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    int held = world.store.readsHeld();
    world.store.setHoldingReads(false);
    return held;
  }

  /** A job without state continues from the rows that are in the store. */
  @Test
  void continuesFromTheStore() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(1);
    }
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0 + 7 * MINUTE, 6);
      recount.insert(run, "a", T0, 1);
      run.checkpoint(2);
      recount.check(world);
    }
  }

  /** State that expired is read back: nothing is lost, nothing counted twice. */
  @Test
  void survivesExpiry() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      run.pass(Specs.STATE_TTL_MS + 1);
      recount.insert(run, "a", T0 + MINUTE, 6);
      run.pass(Specs.FLUSH_MS);
      assertEquals(2, world.store.reads());
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /** New entities come all the time: state grows until the first have expired, and no further. */
  @Test
  void stateIsConstantUnderConstantLoad() throws Exception {
    int entities = 8_000;
    int perTtl = 50;
    int[] most = new int[2];
    try (KernelRun run = KernelRun.fresh(world)) {
      for (int i = 0; i < entities; i++) {
        recount.insert(run, "e" + i, T0 + i * MINUTE, 1);
        run.pass(Specs.STATE_TTL_MS / perTtl);
        int half = 2 * i / entities;
        most[half] = Math.max(most[half], run.entitiesInState());
      }
      run.checkpoint(1);
      recount.check(world);
    }
    assertTrue(most[0] < entities / 10, most[0] + " entities in state");
    assertTrue(most[1] < most[0] * 1.1, most[1] + " entities in state, before " + most[0]);
  }

  /** Events older than the head change closed rows, which are read for it once. */
  @Test
  void lateEventsChangeClosedRows() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      for (int minute = 0; minute < 12; minute++) {
        recount.insert(run, "a", T0 + minute * MINUTE, minute);
        run.pass(Specs.FLUSH_MS);
      }
      run.checkpoint(1);
    }
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0 + 3 * MINUTE, 100);
      run.pass(Specs.FLUSH_MS);
      assertEquals(3, world.store.reads()); // The head once in each run, its late rows at once.
      recount.insert(run, "a", T0 + 3 * MINUTE, 200);
      run.pass(Specs.FLUSH_MS);
      assertEquals(3, world.store.reads());
      run.checkpoint(2);
      recount.check(world);
    }
  }

  /** Events of a replay that are older than anything kept are counted without a read. */
  @Test
  void tilesPastTheirTimeAreNotRead() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      recount.insert(run, "a", T0 - 100_000 * MINUTE, 6);
      run.pass(Specs.FLUSH_MS);
      assertEquals(1, world.store.reads()); // The head.
      run.checkpoint(1);
      recount.check(world);
    }
  }
}
