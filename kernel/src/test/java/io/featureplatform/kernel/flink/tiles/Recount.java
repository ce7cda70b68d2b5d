package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.types.Row;

/** All that the entities should be, by one application of all commands. */
final class Recount {
  final Layout layout = Layout.fromJson(Specs.LAYOUT);
  final Map<String, Changes> changes = new HashMap<>();

  /** Gives an event to an operator and counts it here, too. */
  void insert(KernelRun run, String entity, long tileMs, long watchMs) throws Exception {
    run.insert(entity, tileMs, watchMs);
    insert(entity, tileMs, watchMs);
  }

  void insert(String entity, long tileMs, long watchMs) {
    Row row = Row.of(entity, tileMs, 1L, watchMs, null);
    changes
        .computeIfAbsent(entity, e -> new Changes(layout))
        .add(true, tileMs, new RowValues().of(row));
  }

  void check(World world) {
    assertEquals(changes.keySet(), Map.copyOf(toMap(world)).keySet());
    changes.forEach((entity, all) -> check(world, entity, all));
  }

  private static Map<String, Boolean> toMap(World world) {
    Map<String, Boolean> entities = new HashMap<>();
    world.store.entities().forEach(entity -> entities.put(entity, true));
    return entities;
  }

  /** Writes all rows, as a backfill of these events does. */
  void write(World world, int attempt) {
    changes.forEach(
        (entity, all) -> {
          List<RowWrite> writes = new ArrayList<>();
          rows(all)
              .forEach(
                  (key, row) -> {
                    boolean head = key.equals(TileStore.HEAD);
                    long seconds = head ? 0 : layout.ttlSeconds(key, world.clock.nowMs());
                    if (head) {
                      writes.add(RowWrite.head(row));
                    } else if (seconds > 0) {
                      writes.add(RowWrite.closed(key, row, seconds, 0));
                    }
                  });
          world.store.write(entity, writes, WriteTime.of(attempt, 1)).toCompletableFuture().join();
        });
  }

  private Map<TileKey, byte[]> rows(Changes all) {
    Head head = Head.empty(layout);
    Map<TileKey, byte[]> rows = new HashMap<>();
    head.apply(all, Map.of()).forEach(tile -> rows.put(tile.key(), tile.row()));
    rows.put(TileStore.HEAD, head.encode());
    return rows;
  }

  private void check(World world, String entity, Changes all) {
    Map<TileKey, byte[]> wanted = rows(all);
    Map<TileKey, StoredRow> rows = world.store.rows(entity);
    wanted.forEach(
        (key, row) -> {
          boolean kept =
              key.equals(TileStore.HEAD) || layout.ttlSeconds(key, world.clock.nowMs()) > 0;
          if (kept) {
            assertTrue(rows.containsKey(key), () -> entity + " lacks " + key);
            assertArrayEquals(row, rows.get(key).payload(), () -> entity + " " + key);
          }
        });
    assertTrue(wanted.keySet().containsAll(rows.keySet()));
  }
}
