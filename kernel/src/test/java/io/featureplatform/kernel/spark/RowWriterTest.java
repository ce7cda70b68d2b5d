package io.featureplatform.kernel.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryTileStore;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;

class RowWriterTest {
  private static final long NOW_MS = 10_000_000;
  private static final long KEPT_MS = 9_960_000;
  private static final WriteLimits WIDE = new WriteLimits(8, 0, 1_000_000);
  private static final List<Row> ROWS =
      List.of(
          row("a", 0, 60_000, 3), // Ended long ago: kept for an hour.
          row("a", 0, KEPT_MS, 5),
          row("a", -1, 0, 20),
          row("b", -1, 0, 30));

  private final ManualClock clock = new ManualClock(NOW_MS);
  private final MemoryTileStore store = new MemoryTileStore(clock);
  private final Progress progress = new Progress();

  /** The attempt's one timestamp, a batch for each entity, and nothing that is no longer kept. */
  @Test
  void writesWhatIsKept() throws InterruptedException {
    write(WIDE);
    Map<TileKey, StoredRow> rows = store.rows("a");
    assertEquals(2, rows.size());
    assertEquals(WriteTime.of(7, 1), rows.get(TileStore.HEAD).writeTime());
    assertArrayEquals(new byte[5], rows.get(new TileKey(0, KEPT_MS)).payload());
    assertEquals(2, store.batches());
    assertEquals(
        List.of(3L, 55L, 1L), List.of(progress.rows(), progress.bytes(), progress.expired()));
  }

  /** A closed tile expires when no window can reach it; the head stays. */
  @Test
  void closedTilesExpire() throws InterruptedException {
    write(WIDE);
    clock.set(KEPT_MS + 60_000 + 3_600_000 - 1);
    assertEquals(2, store.rows("a").size());
    clock.advance(1_001);
    assertEquals(List.of(TileStore.HEAD), List.copyOf(store.rows("a").keySet()));
  }

  /** An entity with more bytes than a batch may have is written in several. */
  @Test
  void largeEntitiesTakeSeveralBatches() throws InterruptedException {
    write(new WriteLimits(1, 0, 24));
    assertEquals(3, store.batches());
    assertEquals(2, store.rows("a").size());
  }

  /** Written again, everything is as it was. */
  @Test
  void mayBeRepeated() throws InterruptedException {
    write(WIDE);
    Map<TileKey, StoredRow> once = store.rows("a");
    write(WIDE);
    assertEquals(once.keySet(), store.rows("a").keySet());
    once.forEach(
        (key, row) -> assertArrayEquals(row.payload(), store.rows("a").get(key).payload()));
  }

  /** A write that the store refuses fails the task. */
  @Test
  void failsWithTheStore() {
    store.setDown(true);
    assertThrows(IllegalStateException.class, () -> write(WIDE));
  }

  /** So many rows per second: a batch waits for the time of those before it. */
  @Test
  void keepsThePace() throws InterruptedException {
    long[] now = {5_000};
    List<Long> slept = new ArrayList<>();
    Pace pace =
        new Pace(
            10,
            () -> now[0],
            nanos -> {
              slept.add(nanos);
              now[0] += nanos;
            });
    pace.await(5);
    pace.await(1);
    now[0] += 3_000_000_000L;
    pace.await(2);
    pace.await(1);
    assertEquals(List.of(500_000_000L, 200_000_000L), slept);
  }

  /** Limits with which nothing could be written are refused. */
  @Test
  void refusesLimitsOfNothing() {
    assertThrows(IllegalArgumentException.class, () -> new WriteLimits(0, 0, 1));
  }

  private void write(WriteLimits limits) throws InterruptedException {
    Layout layout = Layout.fromJson(EntityRowsTest.LAYOUT);
    new RowWriter(store, layout, clock, 7, limits, progress).write(ROWS.iterator());
  }

  private static Row row(String entity, int level, long startMs, int size) {
    return RowFactory.create(entity, level, startMs, new byte[size]);
  }
}
