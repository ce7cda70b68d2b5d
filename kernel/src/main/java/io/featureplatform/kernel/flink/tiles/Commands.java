package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.types.RowKind;

/**
 * The commands of one entity within a bundle, as they are going to be logged: the part of each row
 * of a {@link ChangeBlock} that is known before the flush. Mutable; in heap alone.
 */
final class Commands {
  private final Layout layout;
  private final byte[] entity;
  private final RowBinary rows = new RowBinary(256);
  private int[] ends = new int[4];
  private int count;
  private int dropped;

  Commands(Layout layout, String entity) {
    this.layout = layout;
    this.entity = entity.getBytes(StandardCharsets.UTF_8);
  }

  /** Adds a command; returns by how many bytes that is more. */
  int add(long atMs, RowKind kind, long tileMs, CommandValues values) {
    row(rows, layout, atMs, kind.toByteValue(), entity, tileMs, values);
    if (count == ends.length) {
      ends = Arrays.copyOf(ends, count * 2);
    }
    int before = count == 0 ? 0 : ends[count - 1];
    ends[count++] = rows.size();
    return rows.size() - before;
  }

  /** Notes a command that is not kept, since too many wait. */
  void drop() {
    dropped++;
  }

  int dropped() {
    return dropped;
  }

  int count() {
    return count;
  }

  int bytes() {
    return rows.size();
  }

  /** Appends a command's part to a block. */
  void copy(int command, RowBinary to) {
    int from = command == 0 ? 0 : ends[command - 1];
    to.bytes(rows.array(), from, ends[command] - from);
  }

  /**
   * Writes what follows the number of a row.
   *
   * @param values null: none has any
   */
  static void row(
      RowBinary to,
      Layout layout,
      long atMs,
      int kind,
      byte[] entity,
      long tileMs,
      CommandValues values) {
    to.int64(atMs);
    to.int8(kind);
    to.string(entity);
    to.int64(tileMs);
    for (int i = 0; i < layout.columns().size(); i++) {
      if (values == null || values.isNull(i)) {
        to.int8(1);
      } else {
        to.int8(0);
        if (ChangeBlock.isNumber(layout.columns().get(i))) {
          to.int64(values.int64(i));
        } else {
          to.string(values.bytes(i));
        }
      }
    }
  }
}
