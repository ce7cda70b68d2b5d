package io.featureplatform.kernel.flink.tiles;

import java.util.Arrays;

/**
 * Writes ClickHouse's format RowBinary: numbers are little endian, a text is its length as an
 * unsigned LEB128 and its bytes, a nullable value is preceded by a byte that is 1 for NULL. Grows.
 *
 * @see <a href="https://clickhouse.com/docs/interfaces/formats/RowBinary">its description</a>
 */
final class RowBinary {
  private byte[] buffer;
  private int size;

  RowBinary(int capacity) {
    buffer = new byte[capacity];
  }

  int size() {
    return size;
  }

  /** Returns what holds the bytes, and more; it changes with the next write. */
  byte[] array() {
    return buffer;
  }

  /** Returns the bytes, and holds none of them any more. */
  byte[] take() {
    byte[] taken = Arrays.copyOf(buffer, size);
    size = 0;
    return taken;
  }

  void int8(int value) {
    grow(1);
    buffer[size++] = (byte) value;
  }

  void int32(int value) {
    grow(4);
    for (int shift = 0; shift < 32; shift += 8) {
      buffer[size++] = (byte) (value >>> shift);
    }
  }

  void int64(long value) {
    grow(8);
    for (int shift = 0; shift < 64; shift += 8) {
      buffer[size++] = (byte) (value >>> shift);
    }
  }

  void string(byte[] text) {
    int rest = text.length;
    while (rest > 0x7F) {
      int8(rest & 0x7F | 0x80);
      rest >>>= 7;
    }
    int8(rest);
    bytes(text, 0, text.length);
  }

  void bytes(byte[] from, int offset, int length) {
    grow(length);
    System.arraycopy(from, offset, buffer, size, length);
    size += length;
  }

  private void grow(int by) {
    if (size + by > buffer.length) {
      buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, size + by));
    }
  }
}
