package io.featureplatform.kernel.flink.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The sweep of a rollback, killed anywhere, over replicas that lack what others have (rule 9). */
class SweepModelTest {
  private static final int ENTITIES = 6;
  private static final TileKey CLOSED = new TileKey(0, 60_000);
  private static final Epoch SAVEPOINT = new Epoch(1, 3);

  private final ManualClock clock = new ManualClock(600_000);
  private final Layout layout = Layout.fromJson(Specs.LAYOUT);
  private ModelStore store;
  private ModelPlatform platform;

  /** Before the savepoint each entity had a head; after it a dead attempt has touched two rows. */
  private void begin(Random random, Broken broken) {
    store = new ModelStore(clock, broken);
    store.setRandom(random);
    platform = new ModelPlatform(new MemoryRegistry(""), store, layout, clock, broken);
    platform.claim(Attempt.STREAM, Epoch.GENESIS, 0, Offsets.NONE);
    platform.claim(Attempt.STREAM, SAVEPOINT, 0, Offsets.NONE);
    for (int i = 0; i < ENTITIES; i++) {
      store.acknowledge(batch(i, List.of(RowWrite.head(bytes(1))), WriteTime.of(1, 1)));
      byte[] undo =
          UndoRowCodec.encode(
              new UndoRow(
                  new int[] {-1, 0}, new long[] {0, 60_000}, new byte[][] {bytes(1), null}));
      RowWrite undoRow = RowWrite.undo(UndoKey.of(new Epoch(2, 4), 1), undo, 600_000);
      store.acknowledge(batch(i, List.of(undoRow), WriteTime.of(2, 1)));
      List<RowWrite> rows =
          List.of(RowWrite.head(bytes(2)), RowWrite.closed(CLOSED, bytes(3), 600, 0));
      if (i % 2 == 0) {
        store.acknowledge(batch(i, rows, WriteTime.of(2, 1)));
      } else {
        store.repeatLater(batch(i, rows, WriteTime.of(2, 1))); // One replica gets it, later.
      }
    }
  }

  private ModelStore.Batch batch(int entity, List<RowWrite> rows, long time) {
    return store.batch("e" + entity, rows, time);
  }

  private static byte[] bytes(int value) {
    return new byte[] {(byte) value};
  }

  private boolean isAsOfTheSavepoint() {
    boolean all = true;
    for (int i = 0; i < ENTITIES; i++) {
      Map<TileKey, byte[]> rows = store.rows("e" + i);
      all &= rows.size() == 1 && rows.get(TileStore.HEAD)[0] == 1;
    }
    return all;
  }

  /** Killed after any number of rows and run again, it leaves what was at the savepoint. */
  @Test
  void killedAnywhere() {
    int rows = 2 * ENTITIES;
    for (int done = 0; done <= rows; done++) {
      for (int seed = 0; seed < 20; seed++) {
        Random random = new Random(seed);
        begin(random, Broken.NOTHING);
        Attempt sweep = platform.claim("sweep", SAVEPOINT, 0, Offsets.NONE);
        platform.sweep(sweep, (double) done / rows, random);
        platform.sweep(sweep, 1, random);
        store.deliverAll();
        assertTrue(isAsOfTheSavepoint(), "killed after " + done + " rows, seed " + seed);
      }
    }
  }

  /** A row that looks absent is deleted all the same: it may arrive later. */
  @Test
  void absentRowsAreSweptToo() {
    begin(new Random(1), Broken.SWEEP_OF_SEEN_ROWS);
    Attempt sweep = platform.claim("sweep", SAVEPOINT, 0, Offsets.NONE);
    platform.sweep(sweep, 1, new Random(1));
    store.deliverAll();
    assertFalse(isAsOfTheSavepoint());
    assertEquals(ENTITIES, store.entities().size());
    assertArrayEquals(bytes(3), store.rows("e1").get(CLOSED));
  }
}
