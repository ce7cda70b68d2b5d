package io.featureplatform.kernel.row;

import java.util.Arrays;

/** Reads the bytes of row.proto; refuses what is cut off, out of order or unknown. */
public final class RowDecoder {
  private static final int[] NO_IDS = {};
  private static final long[] NO_COUNTERS = {};
  private static final byte[][] NO_FEATURES = {};

  private RowDecoder() {}

  /**
   * Reads a tile's payload.
   *
   * @throws RowFormatException if no encoder of ours wrote the bytes
   */
  public static TileRow decodeTile(byte[] bytes) {
    WireReader reader = new WireReader(bytes);
    int[] featureIds = NO_IDS;
    byte[][] features = NO_FEATURES;
    int count = 0;
    int tag = reader.atEnd() ? 0 : reader.tag();
    while (tag == RowEncoder.ROW_FEATURES) {
      if (count == features.length) {
        featureIds = Arrays.copyOf(featureIds, Math.max(4, count * 2));
        features = Arrays.copyOf(features, featureIds.length);
      }
      WireReader entry = reader.slice();
      expect(entry, RowEncoder.ENTRY_KEY);
      featureIds[count] = entry.uint31();
      expect(entry, RowEncoder.ENTRY_VALUE);
      features[count] = entry.delimited();
      if (!entry.atEnd() || (count > 0 && featureIds[count] <= featureIds[count - 1])) {
        throw new RowFormatException("the features are not in canonical order");
      }
      count++;
      tag = reader.atEnd() ? 0 : reader.tag();
    }
    int[] counterIds = NO_IDS;
    long[] counters = NO_COUNTERS;
    if (tag == RowEncoder.ROW_COUNTER_IDS) {
      counterIds = ids(reader.slice());
      expect(reader, RowEncoder.ROW_COUNTERS);
      counters = signed(reader.slice(), counterIds.length);
      tag = 0;
    }
    if (tag != 0 || !reader.atEnd()) {
      throw new RowFormatException("a tile row holds the unknown tag " + tag);
    }
    return new TileRow(
        counterIds, counters, Arrays.copyOf(featureIds, count), Arrays.copyOf(features, count));
  }

  /**
   * Reads a head; its tiles' rows stay encoded.
   *
   * @throws RowFormatException if no encoder of ours wrote the bytes
   */
  public static HeadRow decodeHead(byte[] bytes) {
    WireReader reader = new WireReader(bytes);
    int[] levels = new int[16];
    long[] startsMs = new long[16];
    byte[][] rows = new byte[16][];
    int count = 0;
    while (!reader.atEnd()) {
      if (count == rows.length) {
        levels = Arrays.copyOf(levels, count * 2);
        startsMs = Arrays.copyOf(startsMs, count * 2);
        rows = Arrays.copyOf(rows, count * 2);
      }
      expect(reader, RowEncoder.HEAD_TILES);
      WireReader tile = reader.slice();
      int tag = tile.atEnd() ? 0 : tile.tag();
      if (tag == RowEncoder.TILE_LEVEL) {
        levels[count] = (int) tile.zigzag();
        tag = tile.atEnd() ? 0 : tile.tag();
      }
      if (tag == RowEncoder.TILE_START) {
        startsMs[count] = tile.zigzag();
        tag = tile.atEnd() ? 0 : tile.tag();
      }
      rows[count] = tag == RowEncoder.TILE_ROW ? tile.delimited() : new byte[0];
      if (!tile.atEnd() || (tag != 0 && tag != RowEncoder.TILE_ROW)) {
        throw new RowFormatException("a tile of a head holds the unknown tag " + tag);
      }
      checkOrder(levels, startsMs, count);
      count++;
    }
    return new HeadRow(
        Arrays.copyOf(levels, count), Arrays.copyOf(startsMs, count), Arrays.copyOf(rows, count));
  }

  private static void checkOrder(int[] levels, long[] startsMs, int last) {
    boolean ascending =
        last == 0
            || levels[last] > levels[last - 1]
            || (levels[last] == levels[last - 1] && startsMs[last] > startsMs[last - 1]);
    if (!ascending || levels[last] < 0) {
      throw new RowFormatException("the tiles of a head are not in canonical order");
    }
  }

  private static void expect(WireReader reader, int tag) {
    int found = reader.atEnd() ? 0 : reader.tag();
    if (found != tag) {
      throw new RowFormatException("expected the tag " + tag + ", found " + found);
    }
  }

  private static int[] ids(WireReader reader) {
    int[] ids = new int[reader.countVarints()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = reader.uint31();
      if (i > 0 && ids[i] <= ids[i - 1]) {
        throw new RowFormatException("the counter ids are not ascending");
      }
    }
    return checkEnd(reader, ids, ids.length);
  }

  private static long[] signed(WireReader reader, int count) {
    long[] values = new long[count];
    for (int i = 0; i < count; i++) {
      values[i] = reader.zigzag();
    }
    return checkEnd(reader, values, count);
  }

  private static <T> T checkEnd(WireReader reader, T values, int count) {
    if (!reader.atEnd() || count == 0) {
      throw new RowFormatException(
          "a packed list does not have the expected " + count + " numbers");
    }
    return values;
  }
}
