package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.FeatureValues;
import java.util.Arrays;

/**
 * The commands of one entity within a bundle, accumulated per finest tile.
 *
 * <p>Additive partials are added or subtracted; idempotent ones are merged by plus commands and
 * left alone by minus commands. Every command makes its tile exist, even if nothing is left in it.
 */
public final class Changes {
  private final Layout layout;
  private final int width;
  private long[] startsMs = new long[2];
  private ChangedTile[] tiles = new ChangedTile[2];
  private int size;

  /** Makes the changes of a bundle that holds no command so far. */
  public Changes(Layout layout) {
    this.layout = layout;
    this.width = layout.columns().size();
  }

  /**
   * Adds a command.
   *
   * @param plus whether it is {@code +I} or {@code +U} and not {@code -U} or {@code -D}
   * @param tileStartMs start of a tile of the finest level of the grid
   * @param values the partials, read at once and not kept, except for the byte arrays
   */
  public void add(boolean plus, long tileStartMs, CommandValues values) {
    ChangedTile tile = tile(tileStartMs);
    for (int i = 0; i < width; i++) {
      if (!values.isNull(i)) {
        add(tile, plus, layout.columns().get(i), values);
      }
    }
  }

  /** Returns whether there was no command. */
  public boolean isEmpty() {
    return size == 0;
  }

  /** Returns the start of the newest tile, or {@link Long#MIN_VALUE} if there is none. */
  public long newestTileMs() {
    return size == 0 ? Long.MIN_VALUE : startsMs[size - 1];
  }

  int size() {
    return size;
  }

  long startMs(int tile) {
    return startsMs[tile];
  }

  ChangedTile tile(int index) {
    return tiles[index];
  }

  private static void add(ChangedTile tile, boolean plus, Column column, CommandValues values) {
    int i = column.index();
    switch (column.kind()) {
      case COUNT, SUM -> {
        long value = values.int64(i);
        tile.counters[i] += plus ? value : -value;
      }
      case MIN, MAX -> {
        if (plus) {
          tile.offer(i, values.int64(i), column.kind() == Kind.MIN);
        }
      }
      default -> {
        if (plus) {
          byte[] merged =
              FeatureValues.merge(
                  tile.feature(i), values.bytes(i), column.kind().mode(), column.n());
          tile.setFeature(i, merged);
        }
      }
    }
  }

  private ChangedTile tile(long startMs) {
    if (size > 0 && startsMs[size - 1] == startMs) {
      return tiles[size - 1];
    }
    int found = Arrays.binarySearch(startsMs, 0, size, startMs);
    if (found >= 0) {
      return tiles[found];
    }
    int position = -found - 1;
    if (size == startsMs.length) {
      startsMs = Arrays.copyOf(startsMs, size * 2);
      tiles = Arrays.copyOf(tiles, size * 2);
    }
    System.arraycopy(startsMs, position, startsMs, position + 1, size - position);
    System.arraycopy(tiles, position, tiles, position + 1, size - position);
    startsMs[position] = startMs;
    tiles[position] = new ChangedTile(width);
    size++;
    return tiles[position];
  }

  /** The accumulated partials of one finest tile, by the index of a column. */
  static final class ChangedTile {
    final long[] counters;
    private final long[] present;
    private byte[][] features;

    ChangedTile(int width) {
      counters = new long[width];
      present = new long[(width + 63) >>> 6];
    }

    /** Returns whether the MIN or MAX in this column has seen a value. */
    boolean isPresent(int column) {
      return (present[column >>> 6] & 1L << column) != 0;
    }

    byte[] feature(int column) {
      return features == null ? null : features[column];
    }

    void offer(int column, long value, boolean minimum) {
      if (!isPresent(column)) {
        present[column >>> 6] |= 1L << column;
        counters[column] = value;
      } else {
        counters[column] =
            minimum ? Math.min(counters[column], value) : Math.max(counters[column], value);
      }
    }

    void setFeature(int column, byte[] value) {
      if (features == null) {
        features = new byte[counters.length][];
      }
      features[column] = value;
    }
  }
}
