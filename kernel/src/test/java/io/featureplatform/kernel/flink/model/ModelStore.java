package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Three replicas that keep the promises of a real store and no more: an acknowledged write is on
 * two of them, one that is not may be on any, or arrive later; a read asks two, and repairs just
 * the rows that it read.
 */
final class ModelStore {
  static final int REPLICAS = 3;
  private static final int QUORUM = 2;
  private static final double APPLIED = 0.4;
  private static final double LATE = 0.8;
  private static final long NEVER = Long.MAX_VALUE;

  /** A value or, without payload, a deletion. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Cell(byte[] payload, long time, long sentMs, long expiresMs) {}

  /** Rows of one entity that are written together. */
  record Batch(String entity, Map<TileKey, Cell> cells) {}

  private record Late(int replica, Batch batch) {}

  private final List<Map<String, Map<TileKey, Cell>>> replicas = new ArrayList<>();
  private final List<Late> late = new ArrayList<>();
  private final Clock clock;
  private final Broken broken;
  private Random random;

  ModelStore(Clock clock, Broken broken) {
    this.clock = clock;
    this.broken = broken;
    for (int i = 0; i < REPLICAS; i++) {
      replicas.add(new HashMap<>());
    }
  }

  /** Sets what decides from now on. */
  void setRandom(Random random) {
    this.random = random;
  }

  Batch batch(String entity, List<RowWrite> rows, long time) {
    Map<TileKey, Cell> cells = new HashMap<>();
    for (RowWrite row : rows) {
      boolean forEver = row.ttlSeconds() == RowWrite.TTL_NONE;
      cells.put(row.key(), cell(row.payload(), time, forEver ? NEVER : row.ttlSeconds()));
    }
    return new Batch(entity, cells);
  }

  /** One row of writers that are no jobs; null deletes it. */
  Batch row(String entity, TileKey key, byte[] payload, long time, long secondsLeft) {
    return new Batch(entity, Map.of(key, cell(payload, time, secondsLeft)));
  }

  private Cell cell(byte[] payload, long time, long secondsLeft) {
    long nowMs = clock.nowMs();
    return new Cell(
        payload, time, nowMs, secondsLeft == NEVER ? NEVER : nowMs + secondsLeft * 1000);
  }

  /** Writes one row by hand; null deletes it. */
  void put(String entity, TileKey key, byte[] payload, long time, long secondsLeft) {
    acknowledge(row(entity, key, payload, time, secondsLeft));
  }

  /** Applies a batch at a quorum; the others get it later. */
  void acknowledge(Batch batch) {
    List<Integer> quorum = some(QUORUM);
    for (int replica = 0; replica < REPLICAS; replica++) {
      if (quorum.contains(replica)) {
        apply(replica, batch);
      } else {
        late.add(new Late(replica, batch));
      }
    }
  }

  /** A batch whose sender never hears of it: some replicas have it, some get it later or never. */
  void limbo(Batch batch) {
    for (int replica = 0; replica < REPLICAS; replica++) {
      double fate = random.nextDouble();
      if (fate < APPLIED) {
        apply(replica, batch);
      } else if (fate < LATE) {
        late.add(new Late(replica, batch));
      }
    }
  }

  /** Lets a replica get something that it lacked. */
  void deliverOne() {
    if (!late.isEmpty()) {
      Late one = late.remove(random.nextInt(late.size()));
      apply(one.replica, one.batch);
    }
  }

  /** Lets all replicas get everything. */
  void deliverAll() {
    late.forEach(one -> apply(one.replica, one.batch));
    late.clear();
  }

  /** A request that reached one replica twice, much later. */
  void repeatLater(Batch batch) {
    late.add(new Late(random.nextInt(REPLICAS), batch));
  }

  Map<TileKey, StoredRow> read(String entity, Collection<TileKey> keys, int asked) {
    List<Integer> quorum = some(asked);
    Map<TileKey, Cell> newest = newest(quorum, entity, keys::contains);
    for (int replica : quorum) {
      apply(replica, new Batch(entity, newest));
    }
    Map<TileKey, StoredRow> rows = new HashMap<>();
    newest.forEach(
        (key, cell) -> {
          if (isAlive(cell)) {
            rows.put(key, new StoredRow(cell.payload, cell.time));
          }
        });
    return rows;
  }

  List<TileStore.Undo> undo(String entity, long from, long to, int limit, int asked) {
    List<TileStore.Undo> found = new ArrayList<>();
    newest(
            some(asked),
            entity,
            key -> key.level() == UndoKey.LEVEL && key.startMs() >= from && key.startMs() <= to)
        .forEach(
            (key, cell) -> {
              if (isAlive(cell) && found.size() < limit) {
                found.add(new TileStore.Undo(key.startMs(), cell.payload));
              }
            });
    return found;
  }

  List<String> entities() {
    TreeMap<String, Boolean> all = new TreeMap<>();
    replicas.forEach(replica -> replica.keySet().forEach(entity -> all.put(entity, true)));
    return List.copyOf(all.keySet());
  }

  /** Returns the rows that all replicas agree on in the end, undo rows left out. */
  Map<TileKey, byte[]> rows(String entity) {
    Map<TileKey, byte[]> rows = new TreeMap<>();
    newest(List.of(0, 1, 2), entity, key -> key.level() != UndoKey.LEVEL)
        .forEach(
            (key, cell) -> {
              if (isAlive(cell)) {
                rows.put(key, cell.payload);
              }
            });
    return rows;
  }

  private boolean isAlive(Cell cell) {
    return cell.payload != null && clock.nowMs() < cell.expiresMs;
  }

  private Map<TileKey, Cell> newest(List<Integer> asked, String entity, Predicate<TileKey> wanted) {
    Map<TileKey, Cell> newest = new TreeMap<>();
    for (int replica : asked) {
      replicas
          .get(replica)
          .getOrDefault(entity, Map.of())
          .forEach(
              (key, cell) -> {
                if (wanted.test(key)) {
                  newest.merge(key, cell, this::winner);
                }
              });
    }
    return newest;
  }

  private void apply(int replica, Batch batch) {
    Map<TileKey, Cell> cells =
        replicas.get(replica).computeIfAbsent(batch.entity, entity -> new HashMap<>());
    batch.cells.forEach((key, cell) -> cells.merge(key, cell, this::winner));
  }

  private Cell winner(Cell old, Cell written) {
    if (broken == Broken.CLOCK_DECIDES && old.sentMs != written.sentMs) {
      return old.sentMs > written.sentMs ? old : written;
    }
    if (old.time != written.time) {
      return old.time > written.time ? old : written;
    }
    if (old.payload == null || written.payload == null) {
      return old.payload == null ? old : written;
    }
    return Arrays.compareUnsigned(old.payload, written.payload) > 0 ? old : written;
  }

  private List<Integer> some(int count) {
    List<Integer> all = new ArrayList<>(List.of(0, 1, 2));
    while (all.size() > count) {
      all.remove(random.nextInt(all.size()));
    }
    return all;
  }
}
