package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Undo rows of the operator: when they are written, and what a crash makes of them. */
class UndoTest extends OnKernelRuns {
  /** Rows are not sent before the undo row that tells what they were is acknowledged. */
  @Test
  void undoRowsComeFirst() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      world.store.setHolding(true);
      run.pass(Specs.FLUSH_MS);
      assertEquals(1, undoRows("a"));
      assertEquals(Map.of(), world.store.rows("a"));
      world.store.setHolding(false);
      run.checkpoint(1);
      recount.check(world);
    }
  }

  /**
   * One undo row per checkpoint and entity, however often it is flushed, also if its state expires.
   */
  @Test
  void anEntityHasOneUndoRowPerCheckpoint() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.pass(Specs.FLUSH_MS);
      recount.insert(run, "a", T0, 6);
      run.pass(Specs.FLUSH_MS);
      run.pass(Specs.STATE_TTL_MS + 1);
      recount.insert(run, "a", T0, 6);
      run.pass(Specs.FLUSH_MS);
      assertEquals(1, undoRows("a"));
      run.checkpoint(1);
      recount.insert(run, "a", T0, 7);
      run.pass(Specs.FLUSH_MS);
      assertEquals(2, undoRows("a"));
    }
  }

  /** Two crashes with a checkpoint between them, before the dead event is reached again. */
  @Test
  void survivesTwoCrashesBeforeTheDeadEventIsReached() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(1);
      run.insert("a", T0, 6); // Reaches the store, but no checkpoint.
      run.pass(Specs.FLUSH_MS);
    }
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "b", T0, 7);
      run.checkpoint(9);
      run.insert("b", T0, 8);
      run.pass(Specs.FLUSH_MS);
    }
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 6);
      recount.insert(run, "b", T0, 8);
      run.checkpoint(2);
      recount.check(world);
    }
  }

  /**
   * A tile that left the head in an abandoned epoch is in the head again, and late events find it.
   */
  @Test
  void deadClosedRowsAreUndone() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(1);
      run.insert("a", T0 + 30 * MINUTE, 6);
      run.insert("a", T0, 9);
      run.pass(Specs.FLUSH_MS);
    }
    try (KernelRun run = KernelRun.fresh(world)) {
      recount.insert(run, "a", T0, 9);
      recount.insert(run, "a", T0 + 30 * MINUTE, 6);
      recount.insert(run, "a", T0 + 6 * MINUTE, 3);
      run.checkpoint(2);
      recount.check(world);
    }
  }

  /** Rows too large for one undo row are told of by several, each row by one of them. */
  @Test
  void largeUndoRowsAreSplit() {
    UndoLog log = new UndoLog(1, 1, 3_600_000);
    List<RowWrite> rows = new ArrayList<>();
    rows.add(RowWrite.head(new byte[1]));
    for (int start = 0; start < 5; start++) {
      rows.add(RowWrite.closed(new TileKey(0, start * MINUTE), new byte[1], 600, 0));
    }
    byte[] large = new byte[UndoLog.BYTES_MAX / 2];
    log.begin();
    List<RowWrite> undo = log.before("a", rows, key -> large);
    assertEquals(3, undo.size());
    List<TileKey> told = new ArrayList<>();
    for (RowWrite part : undo) {
      UndoRow row = UndoRowCodec.decode(part.payload());
      for (int i = 0; i < row.levels().length; i++) {
        told.add(new TileKey(row.levels()[i], row.startsMs()[i]));
      }
    }
    assertEquals(rows.stream().map(RowWrite::key).toList(), told);
    log.begin();
    List<RowWrite> more = List.of(RowWrite.closed(new TileKey(1, 0), new byte[1], 600, 0));
    assertTrue(
        log.before("a", more, key -> null).get(0).key().startMs() > undo.get(2).key().startMs());
    assertEquals(List.of(), log.before("a", rows, key -> large));
  }

  /** A benchmark may leave undo out; nothing else can. */
  @Test
  void benchmarksGoWithoutUndo() throws Exception {
    String spec =
        Specs.json()
            .replace(
                "\"dead_letter_topic\"", "\"bench_without_undo\": true, \"dead_letter_topic\"");
    try (KernelRun run = KernelRun.fresh(world, spec)) {
      recount.insert(run, "a", T0, 5);
      run.checkpoint(1);
      assertEquals(0, undoRows("a"));
      recount.check(world);
    }
  }

  private int undoRows(String entity) {
    return world.store.undo(entity, 0, Long.MAX_VALUE, 100).toCompletableFuture().join().size();
  }
}
