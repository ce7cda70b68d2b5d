package io.featureplatform.kernel.store;

import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * A store in memory that keeps the promises of the real one: the larger timestamp wins, TTLs run by
 * the given clock. For tests; it can be taken down, and hold back acknowledgements and answers.
 */
public final class MemoryTileStore implements TileStore {
  @SuppressWarnings("ArrayRecordComponent")
  private record Cell(byte[] payload, long writeTime, long expiresMs) {}

  private static final long NEVER = Long.MAX_VALUE;

  private final Clock clock;
  private final Map<String, Map<TileKey, Cell>> entities = new HashMap<>();
  private final List<CompletableFuture<Void>> held = new ArrayList<>();
  private final List<Runnable> heldReads = new ArrayList<>();
  private boolean down;
  private boolean holding;
  private boolean holdingReads;
  private int reads;
  private int readsBehindWrites;
  private int batches;
  private int undoReads;

  public MemoryTileStore(Clock clock) {
    this.clock = clock;
  }

  /** From now on every request fails, or succeeds again. */
  public synchronized void setDown(boolean down) {
    this.down = down;
  }

  /** From now on writes happen but are not acknowledged, or all are, those held back too. */
  public synchronized void setHolding(boolean holding) {
    this.holding = holding;
    if (!holding) {
      held.forEach(acknowledgement -> acknowledgement.complete(null));
      held.clear();
    }
  }

  /** From now on reads of rows are not answered, or all are, those held back too. */
  public synchronized void setHoldingReads(boolean holdingReads) {
    this.holdingReads = holdingReads;
    if (!holdingReads) {
      heldReads.forEach(Runnable::run);
      heldReads.clear();
    }
  }

  /** Returns the rows of an entity that have not expired, but not its undo rows. */
  public synchronized Map<TileKey, StoredRow> rows(String entity) {
    Map<TileKey, StoredRow> rows = alive(entity);
    rows.keySet().removeIf(key -> key.level() == UndoKey.LEVEL);
    return rows;
  }

  private Map<TileKey, StoredRow> alive(String entity) {
    Map<TileKey, StoredRow> rows = new TreeMap<>();
    entities
        .getOrDefault(entity, Map.of())
        .forEach(
            (key, cell) -> {
              if (clock.nowMs() < cell.expiresMs) {
                rows.put(key, new StoredRow(cell.payload, cell.writeTime));
              }
            });
    return rows;
  }

  /** Returns the entities that have rows, in order. */
  public synchronized List<String> entities() {
    return List.copyOf(new TreeMap<>(entities).keySet());
  }

  /** Returns how many reads were asked. */
  public synchronized int reads() {
    return reads;
  }

  /** Returns how many reads were asked while the acknowledgement of a write was held back. */
  public synchronized int readsBehindWrites() {
    return readsBehindWrites;
  }

  /** Returns how many reads are held back. */
  public synchronized int readsHeld() {
    return heldReads.size();
  }

  /** Returns how many reads of undo rows were answered. */
  public synchronized int undoReads() {
    return undoReads;
  }

  /** Returns how many batches were written, those of undo rows not counted. */
  public synchronized int batches() {
    return batches;
  }

  @Override
  public synchronized CompletionStage<Map<TileKey, StoredRow>> read(
      String entity, Collection<TileKey> keys) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    reads++;
    readsBehindWrites += held.isEmpty() ? 0 : 1;
    Map<TileKey, StoredRow> found = rows(entity);
    found.keySet().retainAll(keys);
    if (!holdingReads) {
      return CompletableFuture.completedFuture(found);
    }
    CompletableFuture<Map<TileKey, StoredRow>> answer = new CompletableFuture<>();
    heldReads.add(() -> answer.complete(found));
    return answer;
  }

  @Override
  public synchronized CompletionStage<List<Undo>> undo(
      String entity, long from, long to, int limit) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    undoReads++;
    List<Undo> found = new ArrayList<>();
    alive(entity)
        .forEach(
            (key, row) -> {
              boolean wanted = key.startMs() >= from && key.startMs() <= to;
              if (key.level() == UndoKey.LEVEL && wanted && found.size() < limit) {
                found.add(new Undo(key.startMs(), row.payload()));
              }
            });
    return CompletableFuture.completedFuture(found);
  }

  @Override
  public synchronized CompletionStage<Void> write(
      String entity, List<RowWrite> rows, long timestamp) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    batches += rows.get(0).key().level() == UndoKey.LEVEL ? 0 : 1;
    Map<TileKey, Cell> cells = entities.computeIfAbsent(entity, e -> new HashMap<>());
    for (RowWrite row : rows) {
      long expiresMs =
          row.ttlSeconds() == RowWrite.TTL_NONE ? NEVER : clock.nowMs() + row.ttlSeconds() * 1000L;
      cells.merge(
          row.key(), new Cell(row.payload(), timestamp, expiresMs), MemoryTileStore::winner);
    }
    if (!holding) {
      return CompletableFuture.completedFuture(null);
    }
    CompletableFuture<Void> acknowledgement = new CompletableFuture<>();
    held.add(acknowledgement);
    return acknowledgement;
  }

  @Override
  public void close() {
    // The rows outlive the job, as they do in a real store.
  }

  private static Cell winner(Cell old, Cell written) {
    if (old.writeTime != written.writeTime) {
      return old.writeTime > written.writeTime ? old : written;
    }
    return Arrays.compareUnsigned(old.payload, written.payload) > 0 ? old : written;
  }

  private static StoreDownException isDown() {
    return new StoreDownException("the in-memory store was taken down", null);
  }
}
