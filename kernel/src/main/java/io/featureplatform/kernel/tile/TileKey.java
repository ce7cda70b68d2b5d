package io.featureplatform.kernel.tile;

import java.io.Serializable;

/**
 * Names a closed tile of an entity; in the order of the rows: level, then start.
 *
 * @param level index in the grid, 0 the finest
 * @param startMs start of the tile in epoch milliseconds
 */
public record TileKey(int level, long startMs) implements Comparable<TileKey>, Serializable {
  @Override
  public int compareTo(TileKey other) {
    int order = Integer.compare(level, other.level);
    return order == 0 ? Long.compare(startMs, other.startMs) : order;
  }
}
