package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.FeatureValues;
import io.featureplatform.kernel.row.RowDecoder;
import io.featureplatform.kernel.row.RowEncoder;
import io.featureplatform.kernel.row.TileRow;
import java.util.Arrays;

/**
 * One tile of one entity: ascending counter ids with their int64, ascending feature ids with their
 * encoded values.
 *
 * <p>Kept in canonical form (no additive zero), so encoding needs no layout, and ids that the
 * layout no longer knows pass through. A tile that was read stays encoded until it changes.
 */
final class Tile {
  private static final int[] NO_IDS = {};
  private static final long[] NO_COUNTERS = {};
  private static final byte[][] NO_FEATURES = {};
  private static final int OBJECT_BYTES = 120;

  /** The row while it is unchanged since it was read; else null. */
  private byte[] encoded;

  private int[] counterIds = NO_IDS;
  private long[] counters = NO_COUNTERS;
  private int[] featureIds = NO_IDS;
  private byte[][] features = NO_FEATURES;

  /** Returns the tile that a row holds; null means that there is none yet. */
  static Tile of(byte[] row) {
    Tile tile = new Tile();
    if (row != null && row.length > 0) {
      tile.encoded = row;
    }
    return tile;
  }

  byte[] encode() {
    return encoded != null
        ? encoded
        : RowEncoder.encode(new TileRow(counterIds, counters, featureIds, features));
  }

  Tile copy() {
    Tile copy = new Tile();
    copy.encoded = encoded;
    copy.counterIds = counterIds;
    copy.counters = counters.clone();
    copy.featureIds = featureIds;
    copy.features = features.clone();
    return copy;
  }

  /** Returns about how many bytes of heap the tile takes. */
  int approximateBytes() {
    int size = OBJECT_BYTES + (encoded == null ? 0 : encoded.length) + counters.length * 12;
    for (byte[] feature : features) {
      size += 24 + feature.length;
    }
    return size;
  }

  /** Merges what one finest tile's changes hold of the columns of this tile's level. */
  void merge(LevelColumns columns, Changes.ChangedTile changes) {
    decode();
    mergeCounters(columns, changes);
    mergeFeatures(columns, changes);
  }

  private void decode() {
    if (encoded != null) {
      TileRow row = RowDecoder.decodeTile(encoded);
      encoded = null;
      counterIds = row.counterIds();
      counters = row.counters();
      featureIds = row.featureIds();
      features = row.features();
    }
  }

  private void mergeCounters(LevelColumns columns, Changes.ChangedTile changes) {
    if (counterIds.length == 0) {
      takeCounters(columns, changes);
      return;
    }
    int[] ids = columns.counterIds();
    int at = 0;
    for (int i = 0; i < ids.length; i++) {
      if (!isChanged(columns, i, changes)) {
        continue;
      }
      Kind kind = columns.kinds()[i];
      long change = changes.counters[columns.counterIndexes()[i]];
      while (at < counterIds.length && counterIds[at] < ids[i]) {
        at++;
      }
      if (at == counterIds.length || counterIds[at] != ids[i]) {
        insertCounter(at, ids[i], change);
      } else {
        mergeCounter(at, kind, change);
      }
    }
  }

  /** Merges into a tile without counters, as most are in the long past: at once. */
  private void takeCounters(LevelColumns columns, Changes.ChangedTile changes) {
    int[] ids = new int[columns.counterIds().length];
    long[] values = new long[ids.length];
    int size = 0;
    for (int i = 0; i < ids.length; i++) {
      if (isChanged(columns, i, changes)) {
        ids[size] = columns.counterIds()[i];
        values[size++] = changes.counters[columns.counterIndexes()[i]];
      }
    }
    counterIds = size == ids.length ? ids : Arrays.copyOf(ids, size);
    counters = size == ids.length ? values : Arrays.copyOf(values, size);
  }

  private static boolean isChanged(LevelColumns columns, int counter, Changes.ChangedTile changes) {
    int column = columns.counterIndexes()[counter];
    return columns.kinds()[counter].isAdditive()
        ? changes.counters[column] != 0
        : changes.isPresent(column);
  }

  private void mergeCounter(int at, Kind kind, long change) {
    switch (kind) {
      case MIN -> counters[at] = Math.min(counters[at], change);
      case MAX -> counters[at] = Math.max(counters[at], change);
      default -> {
        counters[at] += change;
        if (counters[at] == 0) {
          removeCounter(at);
        }
      }
    }
  }

  private void insertCounter(int at, int id, long value) {
    int[] ids = Arrays.copyOf(counterIds, counterIds.length + 1);
    long[] values = Arrays.copyOf(counters, ids.length);
    System.arraycopy(counterIds, at, ids, at + 1, counterIds.length - at);
    System.arraycopy(counters, at, values, at + 1, counters.length - at);
    ids[at] = id;
    values[at] = value;
    counterIds = ids;
    counters = values;
  }

  private void removeCounter(int at) {
    int[] ids = Arrays.copyOf(counterIds, counterIds.length - 1);
    long[] values = Arrays.copyOf(counters, ids.length);
    System.arraycopy(counterIds, at + 1, ids, at, ids.length - at);
    System.arraycopy(counters, at + 1, values, at, ids.length - at);
    counterIds = ids;
    counters = values;
  }

  private void mergeFeatures(LevelColumns columns, Changes.ChangedTile changes) {
    int[] ids = columns.featureIds();
    for (int i = 0; i < ids.length; i++) {
      byte[] change = changes.feature(columns.featureIndexes()[i]);
      if (change == null) {
        continue;
      }
      int at = Arrays.binarySearch(featureIds, ids[i]);
      if (at < 0) {
        insertFeature(-at - 1, ids[i], change);
      } else {
        features[at] =
            FeatureValues.merge(features[at], change, columns.modes()[i], columns.limits()[i]);
      }
    }
  }

  private void insertFeature(int at, int id, byte[] value) {
    int[] ids = Arrays.copyOf(featureIds, featureIds.length + 1);
    byte[][] values = Arrays.copyOf(features, ids.length);
    System.arraycopy(featureIds, at, ids, at + 1, featureIds.length - at);
    System.arraycopy(features, at, values, at + 1, features.length - at);
    ids[at] = id;
    values[at] = value;
    featureIds = ids;
    features = values;
  }
}
