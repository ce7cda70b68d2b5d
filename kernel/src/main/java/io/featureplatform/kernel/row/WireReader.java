package io.featureplatform.kernel.row;

import java.util.Arrays;

/** Reads protobuf's wire format from a slice of an array; refuses what runs over its end. */
final class WireReader {
  private final byte[] buffer;
  private final int end;
  private int position;

  WireReader(byte[] buffer) {
    this(buffer, 0, buffer.length);
  }

  WireReader(byte[] buffer, int from, int end) {
    this.buffer = buffer;
    this.position = from;
    this.end = end;
  }

  boolean atEnd() {
    return position >= end;
  }

  int position() {
    return position;
  }

  int remaining() {
    return end - position;
  }

  long varint() {
    if (position < end && buffer[position] >= 0) {
      return buffer[position++];
    }
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (position >= end) {
        throw new RowFormatException("a number is cut off");
      }
      byte next = buffer[position++];
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw new RowFormatException("a number is longer than ten bytes");
  }

  long zigzag() {
    long value = varint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Reads an id or a partition: an unsigned number below 2^31. */
  int uint31() {
    long value = varint();
    if (value < 0 || value > Integer.MAX_VALUE) {
      throw new RowFormatException("the number " + value + " is too large for an id");
    }
    return (int) value;
  }

  int tag() {
    return uint31();
  }

  long fixed64() {
    if (end - position < Long.BYTES) {
      throw new RowFormatException("a double is cut off");
    }
    long value = 0;
    for (int shift = 0; shift < 64; shift += 8) {
      value |= (buffer[position++] & 0xFFL) << shift;
    }
    return value;
  }

  /** Reads a length and returns a reader of that many bytes, which this one steps over. */
  WireReader slice() {
    int length = length();
    WireReader slice = new WireReader(buffer, position, position + length);
    position += length;
    return slice;
  }

  byte[] delimited() {
    int length = length();
    byte[] bytes = Arrays.copyOfRange(buffer, position, position + length);
    position += length;
    return bytes;
  }

  /** Returns how many varints are left: each has one byte without the continuation bit. */
  int countVarints() {
    int count = 0;
    for (int i = position; i < end; i++) {
      count += (buffer[i] >>> 7 & 1) ^ 1;
    }
    return count;
  }

  private int length() {
    long length = varint();
    if (length < 0 || length > end - position) {
      throw new RowFormatException("a length of " + length + " exceeds the input");
    }
    return (int) length;
  }
}
