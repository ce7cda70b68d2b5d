package io.featureplatform.kernel.row;

/** Writes protobuf's wire format into an array of exactly the size computed beforehand. */
final class WireWriter {
  private final byte[] buffer;
  private int position;

  WireWriter(int size) {
    buffer = new byte[size];
  }

  /** Returns how many bytes the unsigned varint of {@code value} takes. */
  static int varintSize(long value) {
    return (640 - Long.numberOfLeadingZeros(value) * 9) >>> 6;
  }

  /** Returns the size of a length prefix and the bytes after it. */
  static int delimitedSize(int length) {
    return varintSize(length) + length;
  }

  static long zigzag(long value) {
    return (value << 1) ^ (value >> 63);
  }

  void varint(long value) {
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      buffer[position++] = (byte) (rest | 0x80);
      rest >>>= 7;
    }
    buffer[position++] = (byte) rest;
  }

  /** Writes a tag of one byte, as all of ours are. */
  void tag(int tag) {
    buffer[position++] = (byte) tag;
  }

  void fixed64(long value) {
    for (int shift = 0; shift < 64; shift += 8) {
      buffer[position++] = (byte) (value >>> shift);
    }
  }

  /** Writes a length prefix and the bytes. */
  void delimited(byte[] bytes) {
    varint(bytes.length);
    System.arraycopy(bytes, 0, buffer, position, bytes.length);
    position += bytes.length;
  }

  /** Returns the array, which must be full by now. */
  byte[] finish() {
    if (position != buffer.length) {
      throw new IllegalStateException("wrote " + position + " of " + buffer.length + " bytes");
    }
    return buffer;
  }
}
