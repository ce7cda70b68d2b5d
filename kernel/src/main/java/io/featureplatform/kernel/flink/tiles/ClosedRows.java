package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.tile.TileKey;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The closed rows in use: those that late events touched or that just left a head. A bounded cache;
 * right because this subtask is the only writer of its entities.
 */
final class ClosedRows {
  private record RowId(String entity, TileKey key) {}

  private final Map<RowId, byte[]> rows;

  ClosedRows(int rowsMax) {
    this.rows =
        new LinkedHashMap<>(16, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<RowId, byte[]> eldest) {
            return size() > rowsMax;
          }
        };
  }

  /**
   * Returns the rows of these tiles.
   *
   * @return null if not all of them are here
   */
  Map<TileKey, byte[]> find(String entity, List<TileKey> keys) {
    if (keys.isEmpty()) {
      return Map.of();
    }
    Map<TileKey, byte[]> found = new HashMap<>();
    for (TileKey key : keys) {
      byte[] row = rows.get(new RowId(entity, key));
      if (row == null) {
        return null;
      }
      found.put(key, row);
    }
    return found;
  }

  /** Keeps a row as it was written last. */
  void put(String entity, TileKey key, byte[] row) {
    rows.put(new RowId(entity, key), row);
  }

  int size() {
    return rows.size();
  }
}
