package io.featureplatform.kernel.tile;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.row.Carrier;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What the rows of one deployed feature set hold: grid, keeping times and columns.
 *
 * <p>Comes as the {@code layout} object of the job spec, which {@code feature_platform/tiles}
 * writes.
 */
public final class Layout implements Serializable {
  private static final long serialVersionUID = 1L;

  private final Grid grid;
  private final long[] retentionMs;
  private final List<Column> columns;
  private final int[] usedLevels;
  private final LevelColumns[] levelColumns;

  /**
   * Makes a layout.
   *
   * @param retentionMs for each level, how long after its end a closed tile is kept
   * @param columns in the order of a command's values; the first one is {@code _events}
   */
  public Layout(Grid grid, long[] retentionMs, List<Column> columns) {
    if (retentionMs.length != grid.levels() || columns.isEmpty()) {
      throw new IllegalArgumentException("a layout needs a retention per level, and columns");
    }
    this.grid = grid;
    this.retentionMs = retentionMs.clone();
    this.columns = List.copyOf(columns);
    this.usedLevels = columns.get(0).levels().stream().mapToInt(level -> level).sorted().toArray();
    this.levelColumns = new LevelColumns[grid.levels() + 1];
    for (int level = 0; level <= grid.levels(); level++) {
      levelColumns[level] = LevelColumns.of(this.columns, level, grid.levels());
    }
  }

  /**
   * Reads the JSON text of a layout.
   *
   * @throws IllegalArgumentException if it is no layout
   */
  public static Layout fromJson(String json) {
    try {
      return fromJson(new ObjectMapper().readTree(json));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the layout is not JSON", e);
    }
  }

  /**
   * Reads the {@code layout} object of a job spec.
   *
   * @throws IllegalArgumentException if a part is missing or does not fit
   */
  public static Layout fromJson(JsonNode json) {
    int[] depth = new int[json.required("depth").size()];
    for (int i = 0; i < depth.length; i++) {
      depth[i] = json.get("depth").get(i).intValue();
    }
    List<Column> columns = new ArrayList<>();
    for (JsonNode column : json.required("columns")) {
      List<Integer> levels = new ArrayList<>();
      column.required("levels").forEach(level -> levels.add(level.intValue()));
      columns.add(
          new Column(
              columns.size(),
              column.required("id").intValue(),
              column.required("name").textValue(),
              Kind.of(column.required("kind").textValue()),
              Carrier.valueOf(column.required("carrier").textValue().toUpperCase(Locale.ROOT)),
              column.required("n").intValue(),
              List.copyOf(levels),
              column.required("lifetime").booleanValue()));
    }
    return new Layout(
        new Grid(longs(json.required("levels_ms")), depth),
        longs(json.required("retention_ms")),
        columns);
  }

  /** Returns the levels of the tiles. */
  public Grid grid() {
    return grid;
  }

  /** Returns the columns in the order of a command's values. */
  public List<Column> columns() {
    return columns;
  }

  /** Returns the number that stands for lifetime in a head. */
  public int lifetimeLevel() {
    return grid.levels();
  }

  /**
   * Returns how long a closed tile's row is still to be kept.
   *
   * @return the TTL in seconds, rounded up; 0 or less if it must not be written at all
   */
  public long ttlSeconds(TileKey tile, long nowMs) {
    long endMs = tile.startMs() + grid.lengthMs(tile.level());
    return -Math.floorDiv(nowMs - endMs - retentionMs[tile.level()], 1000L);
  }

  /** Returns the levels that have tiles, finest first; the caller must not change the array. */
  int[] usedLevels() {
    return usedLevels;
  }

  /** Returns the columns that tiles of this level hold. */
  LevelColumns levelColumns(int level) {
    return levelColumns[level];
  }

  private static long[] longs(JsonNode array) {
    long[] values = new long[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).longValue();
    }
    return values;
  }
}
