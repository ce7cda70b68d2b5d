package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.tile.Column;
import io.featureplatform.kernel.tile.CommandValues;
import java.util.Arrays;
import java.util.List;

/**
 * The partials of an event in a few bytes, for a shuffle of many: most of them are nothing.
 * Mutable: one is reused for all rows. Hot path.
 *
 * <p>For each column that has something, its index as a varint; then a counter as a zigzag varint,
 * or an item's size and bytes. A sum of 0 is nothing.
 */
final class PackedPartials implements CommandValues {
  private static final int SIZE = 64;
  private static final int VARINT_MAX = 10;

  private final List<Column> columns;
  private final int[] asked;
  private final boolean[] present;
  private final long[] counters;
  private final byte[][] items;
  private byte[] buffer = new byte[SIZE];
  private int position;

  /**
   * Holds nothing.
   *
   * @param columns the layout's
   * @param asked indexes of those that are packed
   */
  PackedPartials(List<Column> columns, int[] asked) {
    this.columns = columns;
    this.asked = asked;
    this.present = new boolean[columns.size()];
    this.counters = new long[columns.size()];
    this.items = new byte[columns.size()][];
  }

  /** Returns partials as bytes. */
  byte[] pack(CommandValues values) {
    position = 0;
    for (int index : asked) {
      if (!values.isNull(index)) {
        pack(index, values);
      }
    }
    return Arrays.copyOf(buffer, position);
  }

  private void pack(int index, CommandValues values) {
    Column column = columns.get(index);
    if (column.kind().isCounter()) {
      long value = values.int64(index);
      if (value != 0 || !column.kind().isAdditive()) {
        varint(index);
        varint((value << 1) ^ (value >> 63));
      }
      return;
    }
    byte[] item = values.bytes(index);
    varint(index);
    varint(item.length);
    reserve(item.length);
    System.arraycopy(item, 0, buffer, position, item.length);
    position += item.length;
  }

  private void varint(long value) {
    reserve(VARINT_MAX);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      buffer[position++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    buffer[position++] = (byte) rest;
  }

  private void reserve(int bytes) {
    if (buffer.length < position + bytes) {
      buffer = Arrays.copyOf(buffer, 2 * (position + bytes));
    }
  }

  /** Takes what {@link #pack} has returned; what was held before is dropped. */
  PackedPartials of(byte[] packed) {
    for (int index : asked) {
      present[index] = false;
    }
    int at = 0;
    while (at < packed.length) {
      int index = 0;
      int shift = 0;
      do {
        index |= (packed[at] & 0x7F) << shift;
        shift += 7;
      } while (packed[at++] < 0);
      long value = 0;
      shift = 0;
      do {
        value |= (packed[at] & 0x7FL) << shift;
        shift += 7;
      } while (packed[at++] < 0);
      present[index] = true;
      if (columns.get(index).kind().isCounter()) {
        counters[index] = (value >>> 1) ^ -(value & 1);
      } else {
        items[index] = Arrays.copyOfRange(packed, at, at + (int) value);
        at += (int) value;
      }
    }
    return this;
  }

  @Override
  public boolean isNull(int column) {
    return !present[column];
  }

  @Override
  public long int64(int column) {
    return counters[column];
  }

  @Override
  public byte[] bytes(int column) {
    return items[column];
  }
}
