package io.featureplatform.kernel.row;

import static io.featureplatform.kernel.row.WireWriter.delimitedSize;
import static io.featureplatform.kernel.row.WireWriter.varintSize;
import static io.featureplatform.kernel.row.WireWriter.zigzag;

/**
 * Writes the canonical bytes of row.proto.
 *
 * <p>Canonical: fields ascending, ids ascending, empty lists left out, shortest varints, packed
 * lists, a map entry always with key and value, scalars of proto3's default left out.
 */
public final class RowEncoder {
  static final int ROW_FEATURES = 0x0A;
  static final int ROW_COUNTER_IDS = 0x12;
  static final int ROW_COUNTERS = 0x1A;
  static final int ENTRY_KEY = 0x08;
  static final int ENTRY_VALUE = 0x12;
  static final int HEAD_TILES = 0x0A;
  static final int TILE_LEVEL = 0x08;
  static final int TILE_START = 0x10;
  static final int TILE_ROW = 0x1A;

  private RowEncoder() {}

  /** Returns the row's canonical bytes; none at all for a tile in which nothing is left. */
  public static byte[] encode(TileRow row) {
    WireWriter writer = new WireWriter(size(row));
    write(row, writer);
    return writer.finish();
  }

  /** Returns the head's canonical bytes. */
  public static byte[] encode(HeadRow head) {
    int size = 0;
    for (int i = 0; i < head.rows().length; i++) {
      int tile = tileSize(head.levels()[i], head.startsMs()[i], head.rows()[i].length);
      size += 1 + delimitedSize(tile);
    }
    WireWriter writer = new WireWriter(size);
    for (int i = 0; i < head.rows().length; i++) {
      byte[] row = head.rows()[i];
      writeTileStart(writer, head.levels()[i], head.startsMs()[i], row.length);
      if (row.length > 0) {
        writer.tag(TILE_ROW);
        writer.delimited(row);
      }
    }
    return writer.finish();
  }

  /** Returns the bytes of one entry of the lazy map, tag and length included. */
  public static byte[] encodeEntry(int id, byte[] feature) {
    WireWriter writer = new WireWriter(1 + delimitedSize(entrySize(id, feature)));
    writeEntry(writer, id, feature);
    return writer.finish();
  }

  static int size(TileRow row) {
    int size = 0;
    for (int i = 0; i < row.features().length; i++) {
      size += 1 + delimitedSize(entrySize(row.featureIds()[i], row.features()[i]));
    }
    if (row.counters().length > 0) {
      size += 1 + delimitedSize(idsSize(row.counterIds()));
      size += 1 + delimitedSize(signedSize(row.counters()));
    }
    return size;
  }

  static void write(TileRow row, WireWriter writer) {
    for (int i = 0; i < row.features().length; i++) {
      writeEntry(writer, row.featureIds()[i], row.features()[i]);
    }
    if (row.counters().length > 0) {
      writer.tag(ROW_COUNTER_IDS);
      writer.varint(idsSize(row.counterIds()));
      for (int id : row.counterIds()) {
        writer.varint(id);
      }
      writer.tag(ROW_COUNTERS);
      writer.varint(signedSize(row.counters()));
      for (long counter : row.counters()) {
        writer.varint(zigzag(counter));
      }
    }
  }

  private static int tileSize(int level, long startMs, int row) {
    return (level == 0 ? 0 : 1 + varintSize(zigzag(level)))
        + (startMs == 0 ? 0 : 1 + varintSize(zigzag(startMs)))
        + (row == 0 ? 0 : 1 + delimitedSize(row));
  }

  private static void writeTileStart(WireWriter writer, int level, long startMs, int row) {
    writer.tag(HEAD_TILES);
    writer.varint(tileSize(level, startMs, row));
    if (level != 0) {
      writer.tag(TILE_LEVEL);
      writer.varint(zigzag(level));
    }
    if (startMs != 0) {
      writer.tag(TILE_START);
      writer.varint(zigzag(startMs));
    }
  }

  private static int entrySize(int id, byte[] feature) {
    return 1 + varintSize(id) + 1 + delimitedSize(feature.length);
  }

  private static void writeEntry(WireWriter writer, int id, byte[] feature) {
    writer.tag(ROW_FEATURES);
    writer.varint(entrySize(id, feature));
    writer.tag(ENTRY_KEY);
    writer.varint(id);
    writer.tag(ENTRY_VALUE);
    writer.delimited(feature);
  }

  private static int idsSize(int[] ids) {
    int size = 0;
    for (int id : ids) {
      size += varintSize(id);
    }
    return size;
  }

  private static int signedSize(long[] values) {
    int size = 0;
    for (long value : values) {
      size += varintSize(zigzag(value));
    }
    return size;
  }
}
