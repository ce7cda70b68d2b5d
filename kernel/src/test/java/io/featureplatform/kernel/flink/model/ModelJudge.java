package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** Compares every row that stands in a {@link ModelStore} with the recount of the events. */
final class ModelJudge {
  /** A write that was long under way counts its time to live from when it arrives. */
  private static final long TTL_SLACK_MS = 600_000;

  private final ModelStore store;
  private final Layout layout;
  private final ManualClock clock;

  ModelJudge(ModelStore store, Layout layout, ManualClock clock) {
    this.store = store;
    this.layout = layout;
    this.clock = clock;
  }

  /**
   * Returns what differs, a line for each row; empty if nothing does.
   *
   * @param wanted the rows of each entity by the recount
   */
  String differences(Map<String, Map<TileKey, byte[]>> wanted) {
    StringBuilder differences = new StringBuilder();
    for (char entity : ModelEngine.ENTITIES.toCharArray()) {
      String name = String.valueOf(entity);
      compare(name, wanted.getOrDefault(name, Map.of()), judgedRows(name), differences);
    }
    return differences.toString();
  }

  /** Returns how rows differ from those that are wanted. */
  static String differences(
      Map<String, Map<TileKey, byte[]>> found, Map<String, Map<TileKey, byte[]>> wanted) {
    StringBuilder differences = new StringBuilder();
    TreeSet<String> entities = new TreeSet<>(wanted.keySet());
    entities.addAll(found.keySet());
    for (String name : entities) {
      compare(
          name,
          wanted.getOrDefault(name, Map.of()),
          found.getOrDefault(name, Map.of()),
          differences);
    }
    return differences.toString();
  }

  private static void compare(
      String entity,
      Map<TileKey, byte[]> wanted,
      Map<TileKey, byte[]> found,
      StringBuilder differences) {
    TreeSet<TileKey> keys = new TreeSet<>(wanted.keySet());
    keys.addAll(found.keySet());
    for (TileKey key : keys) {
      if (!Arrays.equals(wanted.get(key), found.get(key))) {
        differences.append(
            "%n  %s %s: %s, should be %s"
                .formatted(entity, key, text(found.get(key)), text(wanted.get(key))));
      }
    }
  }

  /** Returns an entity's rows without those whose time is over and that are about to go. */
  private Map<TileKey, byte[]> judgedRows(String entity) {
    Map<TileKey, byte[]> found = new TreeMap<>(store.rows(entity));
    long nowMs = clock.nowMs();
    clock.advance(TTL_SLACK_MS);
    Map<TileKey, byte[]> lasting = store.rows(entity);
    clock.set(nowMs);
    found
        .keySet()
        .removeIf(
            key ->
                key.level() >= 0
                    && layout.ttlSeconds(key, nowMs) <= 0
                    && !lasting.containsKey(key));
    return found;
  }

  private static String text(byte[] row) {
    return row == null ? "none" : HexFormat.of().formatHex(row);
  }
}
