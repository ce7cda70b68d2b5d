package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.lineage.History;
import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The writers that are no jobs, by the rules that the deployer follows: the sweep of a rollback, a
 * backfill, a repair.
 */
final class ModelPlatform {
  private static final int ANY_NUMBER = 1_000_000;
  private static final long NEVER = Long.MAX_VALUE;

  private record RowId(String entity, TileKey key) {}

  private final MemoryRegistry registry;
  private final ModelStore store;
  private final Layout layout;
  private final Clock clock;
  private final Broken broken;

  ModelPlatform(
      MemoryRegistry registry, ModelStore store, Layout layout, Clock clock, Broken broken) {
    this.registry = registry;
    this.store = store;
    this.layout = layout;
    this.clock = clock;
    this.broken = broken;
  }

  Map<Integer, Attempt> attempts() {
    Map<Integer, Attempt> attempts = new TreeMap<>();
    registry
        .attempts()
        .toCompletableFuture()
        .join()
        .claimed()
        .forEach(attempt -> attempts.put(attempt.number(), attempt));
    return attempts;
  }

  /** Claims an attempt for such a writer, which from then on owns the generation. */
  Attempt claim(String kind, Epoch start, long dirtySinceMs, Offsets ends) {
    int number = attempts().keySet().stream().max(Integer::compare).orElse(0) + 1;
    String name = kind + "-" + number;
    Attempt attempt =
        new Attempt(number, name, name, kind, start, ends, clock.nowMs(), 0, dirtySinceMs, true);
    registry.setOwner(name);
    boolean inserted = registry.insert(attempt).toCompletableFuture().join();
    if (!inserted) {
      throw new IllegalStateException("attempt " + number + " could not be claimed");
    }
    return attempt;
  }

  /** Writes rows of a backfill or repair; rows of the entities that are not wanted go. */
  void rewrite(Attempt attempt, Map<String, Map<TileKey, byte[]>> wanted) {
    long time = WriteTime.of(attempt.number(), 1);
    Set<String> entities = new TreeSet<>(store.entities());
    entities.addAll(wanted.keySet());
    for (String entity : entities) {
      Map<TileKey, byte[]> rows = wanted.getOrDefault(entity, Map.of());
      rows.forEach((key, row) -> store.put(entity, key, row, time, secondsLeft(key)));
      for (TileKey key : store.rows(entity).keySet()) {
        if (!rows.containsKey(key)) {
          store.put(entity, key, null, time, NEVER);
        }
      }
    }
  }

  /** Lets writes of a backfill happen again, late, as a task that was thought dead does. */
  void repeatLater(Attempt attempt, Map<String, Map<TileKey, byte[]>> rows, Random random) {
    rows.forEach(
        (entity, all) ->
            all.forEach(
                (key, row) -> {
                  if (random.nextInt(3) == 0) {
                    store.repeatLater(
                        store.row(
                            entity, key, row, WriteTime.of(attempt.number(), 1), secondsLeft(key)));
                  }
                }));
  }

  /**
   * Writes every row that a dead undo entry names as it was at an epoch.
   *
   * @param part how much of it is done before it crashes; 1: all
   */
  void sweep(Attempt sweep, double part, Random random) {
    Map<Integer, Attempt> attempts = attempts();
    History kept = History.of(attempts, sweep.start());
    Map<RowId, Map<Long, UndoRow>> entries = new HashMap<>();
    for (String entity : store.entities()) {
      for (TileStore.Undo undo : store.undo(entity, 0, Long.MAX_VALUE, ANY_NUMBER, 2)) {
        UndoRow row = UndoRowCodec.decode(undo.payload());
        for (int i = 0; i < row.rows().length; i++) {
          RowId id = new RowId(entity, new TileKey(row.levels()[i], row.startsMs()[i]));
          entries.computeIfAbsent(id, none -> new TreeMap<>()).put(undo.start(), row);
        }
      }
    }
    List<RowId> order = new ArrayList<>(entries.keySet());
    order.sort(Comparator.comparing(RowId::entity).thenComparing(RowId::key));
    Collections.shuffle(order, random);
    for (RowId id : order.subList(0, (int) (order.size() * part))) {
      sweep(sweep, id, entries.get(id), attempts, kept);
    }
  }

  private void sweep(
      Attempt sweep,
      RowId id,
      Map<Long, UndoRow> entries,
      Map<Integer, Attempt> attempts,
      History kept) {
    StoredRow row = store.read(id.entity, Set.of(id.key), 2).get(id.key);
    if (row == null) {
      if (broken != Broken.SWEEP_OF_SEEN_ROWS) {
        store.put(id.entity, id.key, null, WriteTime.of(sweep.number(), 1), NEVER);
      }
      return;
    }
    int writer = (int) WriteTime.attempt(row.writeTime());
    if (writer >= sweep.number() && broken != Broken.SWEEP_RENUMBERED) {
      return;
    }
    History theirs = History.of(attempts, writer);
    byte[] value = row.payload();
    for (Map.Entry<Long, UndoRow> entry : entries.entrySet()) {
      Epoch epoch = UndoKey.epoch(entry.getKey());
      if (theirs.contains(epoch) && !kept.contains(epoch)) {
        value = before(entry.getValue(), id.key);
        break;
      }
    }
    long secondsLeft = broken == Broken.SWEEP_FOR_EVER ? NEVER : secondsLeft(id.key);
    if (value == null || secondsLeft > 0) {
      store.put(id.entity, id.key, value, WriteTime.of(sweep.number(), 1), secondsLeft);
    }
  }

  private static byte[] before(UndoRow undo, TileKey key) {
    for (int i = 0; i < undo.rows().length; i++) {
      if (undo.levels()[i] == key.level() && undo.startsMs()[i] == key.startMs()) {
        return undo.rows()[i];
      }
    }
    throw new IllegalStateException("an undo row does not name " + key);
  }

  private long secondsLeft(TileKey key) {
    return key.equals(TileStore.HEAD) ? NEVER : layout.ttlSeconds(key, clock.nowMs());
  }
}
