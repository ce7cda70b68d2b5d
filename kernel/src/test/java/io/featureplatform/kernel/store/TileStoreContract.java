package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every store promises. */
@Timeout(60)
public abstract class TileStoreContract {
  private static final TileKey CLOSED = new TileKey(0, 60_000);
  private static final int MANY = 35;
  private static final TileKey OTHER = new TileKey(1, 60_000);

  private final String entity = "entity-" + UUID.randomUUID();

  protected abstract TileStore store();

  /** Lets so much time pass for TTLs. */
  protected abstract void pass(long ms) throws InterruptedException;

  /** Rows come back with bytes and write time; a key without a row is missing. */
  @Test
  void readsWhatWasWritten() throws Exception {
    long time = WriteTime.of(3, 17);
    write(time, RowWrite.head(bytes(1)), RowWrite.closed(CLOSED, bytes(2), 600, 0));
    Map<TileKey, StoredRow> rows = read(TileStore.HEAD, CLOSED, OTHER);
    assertEquals(Set.of(TileStore.HEAD, CLOSED), rows.keySet());
    assertArrayEquals(bytes(1), rows.get(TileStore.HEAD).payload());
    assertArrayEquals(bytes(2), rows.get(CLOSED).payload());
    assertEquals(time, rows.get(CLOSED).writeTime());
  }

  /** Only the rows that were asked for come back, and those of the entity alone. */
  @Test
  void readsOnlyWhatIsAsked() throws Exception {
    write(WriteTime.of(1, 1), RowWrite.head(bytes(1)), RowWrite.closed(CLOSED, bytes(2), 600, 0));
    assertEquals(Set.of(CLOSED), read(CLOSED).keySet());
    assertEquals(Map.of(), store().read(entity + "x", Set.of(CLOSED)).toCompletableFuture().get());
  }

  /** A write of an earlier attempt loses, however late it arrives. */
  @Test
  void largerTimestampWins() throws Exception {
    write(WriteTime.of(2, 1), RowWrite.head(bytes(2)));
    write(WriteTime.of(1, 999), RowWrite.head(bytes(1)));
    assertArrayEquals(bytes(2), read(TileStore.HEAD).get(TileStore.HEAD).payload());
    write(WriteTime.of(2, 2), RowWrite.head(bytes(3)));
    assertArrayEquals(bytes(3), read(TileStore.HEAD).get(TileStore.HEAD).payload());
  }

  /** The same write twice is the same as once. */
  @Test
  void writesMayBeRepeated() throws Exception {
    for (int i = 0; i < 2; i++) {
      write(WriteTime.of(1, 1), RowWrite.head(bytes(1)), RowWrite.closed(CLOSED, bytes(2), 600, 0));
    }
    assertEquals(2, read(TileStore.HEAD, CLOSED).size());
  }

  /** A closed tile expires after its TTL, the head of the same batch does not. */
  @Test
  void closedTilesExpire() throws Exception {
    write(WriteTime.of(1, 1), RowWrite.head(bytes(1)), RowWrite.closed(CLOSED, bytes(2), 1, 0));
    pass(2_100);
    assertEquals(Set.of(TileStore.HEAD), read(TileStore.HEAD, CLOSED).keySet());
  }

  /** Undo rows come back ascending, by range and up to a limit, and are no rows of the entity. */
  @Test
  void readsUndoRows() throws Exception {
    write(WriteTime.of(1, 1), RowWrite.head(bytes(1)));
    for (int sequence : new int[] {3, 1, 2}) {
      TileKey key = UndoKey.of(new Epoch(1, 7), sequence);
      write(WriteTime.of(1, sequence), RowWrite.undo(key, bytes(sequence), 600_000));
    }
    TileKey later = UndoKey.of(new Epoch(2, 1), 0);
    write(WriteTime.of(2, 1), RowWrite.undo(later, bytes(9), 600_000));
    assertEquals(List.of(1, 2, 3, 9), undo(0, Long.MAX_VALUE, 10));
    assertEquals(List.of(1, 2), undo(0, Long.MAX_VALUE, 2));
    assertEquals(
        List.of(2, 3),
        undo(UndoKey.start(new Epoch(1, 7), 2), UndoKey.start(new Epoch(1, 7), 3), 10));
    assertEquals(List.of(9), undo(later.startMs(), later.startMs(), 10));
    assertEquals(Set.of(TileStore.HEAD), read(TileStore.HEAD, CLOSED).keySet());
  }

  /** Undo rows expire. */
  @Test
  void undoRowsExpire() throws Exception {
    write(WriteTime.of(1, 1), RowWrite.undo(UndoKey.of(new Epoch(1, 7), 1), bytes(1), 1_000));
    pass(2_100);
    assertEquals(List.of(), undo(0, Long.MAX_VALUE, 10));
  }

  /** Requests that are under way together, more than a store may group, keep to their entities. */
  @Test
  void manyAtOnceAreNotMixedUp() throws Exception {
    List<CompletableFuture<Void>> writes = new ArrayList<>();
    for (int i = 0; i < MANY; i++) {
      List<RowWrite> rows = new ArrayList<>(List.of(RowWrite.head(new byte[i * 20])));
      if (i % 3 == 0) {
        rows.add(RowWrite.closed(CLOSED, bytes(i), 600, 0));
      }
      writes.add(store().write(entity + i, rows, WriteTime.of(1, i + 1)).toCompletableFuture());
    }
    for (CompletableFuture<Void> write : writes) {
      write.get();
    }
    List<CompletableFuture<Map<TileKey, StoredRow>>> reads = new ArrayList<>();
    for (int i = 0; i <= MANY; i++) {
      reads.add(store().read(entity + i, Set.of(TileStore.HEAD)).toCompletableFuture());
      reads.add(store().read(entity + i, Set.of(TileStore.HEAD, CLOSED)).toCompletableFuture());
    }
    for (int i = 0; i < MANY; i++) {
      StoredRow head = reads.get(2 * i).get().get(TileStore.HEAD);
      assertEquals(i * 20, head.payload().length);
      assertEquals(WriteTime.of(1, i + 1), head.writeTime());
      assertEquals(Set.of(TileStore.HEAD), reads.get(2 * i).get().keySet());
      assertEquals(i % 3 == 0, reads.get(2 * i + 1).get().containsKey(CLOSED));
    }
    assertEquals(Map.of(), reads.get(2 * MANY).get());
  }

  private List<Integer> undo(long from, long to, int limit) throws Exception {
    return store().undo(entity, from, to, limit).toCompletableFuture().get().stream()
        .map(undo -> (int) undo.payload()[0])
        .toList();
  }

  private static byte[] bytes(int value) {
    return new byte[] {(byte) value, 0, (byte) -value};
  }

  private void write(long time, RowWrite... rows) throws Exception {
    store().write(entity, List.of(rows), time).toCompletableFuture().get();
  }

  private Map<TileKey, StoredRow> read(TileKey... keys) throws Exception {
    return store().read(entity, Set.of(keys)).toCompletableFuture().get();
  }
}
