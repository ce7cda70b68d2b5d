package io.featureplatform.kernel.row;

import static io.featureplatform.kernel.row.WireWriter.delimitedSize;
import static io.featureplatform.kernel.row.WireWriter.varintSize;
import static io.featureplatform.kernel.row.WireWriter.zigzag;

import java.util.Arrays;

/**
 * Writes and reads the canonical bytes of an {@link UndoRow}. A row that is there but empty differs
 * from one that was not there: the former has its field.
 */
public final class UndoRowCodec {
  private static final int ENTRIES = 0x0A;
  private static final int LEVEL = 0x08;
  private static final int START = 0x10;
  private static final int ROW = 0x1A;
  private static final int ROWS_AT_FIRST = 2;

  private UndoRowCodec() {}

  /** Returns the canonical bytes. */
  public static byte[] encode(UndoRow undo) {
    int size = 0;
    for (int i = 0; i < undo.rows().length; i++) {
      size += 1 + delimitedSize(entrySize(undo, i));
    }
    WireWriter writer = new WireWriter(size);
    for (int i = 0; i < undo.rows().length; i++) {
      writer.tag(ENTRIES);
      writer.varint(entrySize(undo, i));
      if (undo.levels()[i] != 0) {
        writer.tag(LEVEL);
        writer.varint(zigzag(undo.levels()[i]));
      }
      if (undo.startsMs()[i] != 0) {
        writer.tag(START);
        writer.varint(zigzag(undo.startsMs()[i]));
      }
      if (undo.rows()[i] != null) {
        writer.tag(ROW);
        writer.delimited(undo.rows()[i]);
      }
    }
    return writer.finish();
  }

  /**
   * Reads an undo row's payload.
   *
   * @throws RowFormatException if no encoder of ours wrote the bytes
   */
  public static UndoRow decode(byte[] bytes) {
    WireReader reader = new WireReader(bytes);
    int[] levels = new int[ROWS_AT_FIRST];
    long[] startsMs = new long[ROWS_AT_FIRST];
    byte[][] rows = new byte[ROWS_AT_FIRST][];
    int count = 0;
    while (!reader.atEnd()) {
      if (count == rows.length) {
        levels = Arrays.copyOf(levels, count * 2);
        startsMs = Arrays.copyOf(startsMs, count * 2);
        rows = Arrays.copyOf(rows, count * 2);
      }
      int tag = reader.tag();
      if (tag != ENTRIES) {
        throw new RowFormatException("an undo row holds the unknown tag " + tag);
      }
      WireReader entry = reader.slice();
      tag = next(entry);
      if (tag == LEVEL) {
        levels[count] = (int) entry.zigzag();
        tag = next(entry);
      }
      if (tag == START) {
        startsMs[count] = entry.zigzag();
        tag = next(entry);
      }
      rows[count] = tag == ROW ? entry.delimited() : null;
      if (!entry.atEnd() || (tag != 0 && tag != ROW)) {
        throw new RowFormatException("an entry of an undo row holds the unknown tag " + tag);
      }
      checkOrder(levels, startsMs, count);
      count++;
    }
    return new UndoRow(
        Arrays.copyOf(levels, count), Arrays.copyOf(startsMs, count), Arrays.copyOf(rows, count));
  }

  private static int entrySize(UndoRow undo, int i) {
    int level = undo.levels()[i];
    long startMs = undo.startsMs()[i];
    byte[] row = undo.rows()[i];
    return (level == 0 ? 0 : 1 + varintSize(zigzag(level)))
        + (startMs == 0 ? 0 : 1 + varintSize(zigzag(startMs)))
        + (row == null ? 0 : 1 + delimitedSize(row.length));
  }

  private static int next(WireReader entry) {
    return entry.atEnd() ? 0 : entry.tag();
  }

  private static void checkOrder(int[] levels, long[] startsMs, int last) {
    boolean ascending =
        last == 0
            || levels[last] > levels[last - 1]
            || (levels[last] == levels[last - 1] && startsMs[last] > startsMs[last - 1]);
    if (!ascending) {
      throw new RowFormatException("the entries of an undo row are not in canonical order");
    }
  }
}
