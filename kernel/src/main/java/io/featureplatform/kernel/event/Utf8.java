package io.featureplatform.kernel.event;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** UTF-8 without NUL: the only text that both engines and the store take alike. */
final class Utf8 {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final long LOW_BITS = 0x0101010101010101L;

  private Utf8() {}

  /**
   * Returns whether the bytes are well-formed UTF-8 (no overlong form, no surrogate) without NUL.
   */
  static boolean isText(byte[] bytes) {
    int i = 0;
    while (i < bytes.length) {
      if (i + Long.BYTES <= bytes.length) {
        long eight = (long) LONGS.get(bytes, i);
        if (((eight | (eight - LOW_BITS)) & HIGH_BITS) == 0) {
          i += Long.BYTES;
          continue;
        }
      }
      int length = bytes[i] > 0 ? 1 : sequenceLength(bytes, i);
      if (length == 0) {
        return false;
      }
      i += length;
    }
    return true;
  }

  /** Returns the length of the multi-byte sequence at the index; 0 if it is malformed or NUL. */
  private static int sequenceLength(byte[] bytes, int i) {
    int first = bytes[i] & 0xFF;
    int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || i + length > bytes.length) {
      return 0;
    }
    for (int k = 1; k < length; k++) {
      if ((bytes[i + k] & 0xC0) != 0x80) {
        return 0;
      }
    }
    int second = bytes[i + 1] & 0xFF;
    boolean malformed =
        (first == 0xE0 && second < 0xA0)
            || (first == 0xED && second >= 0xA0)
            || (first == 0xF0 && second < 0x90)
            || (first == 0xF4 && second >= 0x90);
    return malformed ? 0 : length;
  }

  /** Returns the characters as UTF-8, or null if there is a NUL or half a surrogate pair. */
  static byte[] encode(char[] chars, int from, int length) {
    int size = size(chars, from, from + length);
    if (size < 0) {
      return null;
    }
    byte[] bytes = new byte[size];
    int at = 0;
    for (int i = from; i < from + length; i++) {
      int c = chars[i];
      if (c < 0x80) {
        bytes[at++] = (byte) c;
      } else if (c < 0x800) {
        bytes[at++] = (byte) (0xC0 | c >> 6);
        bytes[at++] = (byte) (0x80 | (c & 0x3F));
      } else if (Character.isHighSurrogate(chars[i])) {
        int point = Character.toCodePoint(chars[i], chars[++i]);
        bytes[at++] = (byte) (0xF0 | point >> 18);
        bytes[at++] = (byte) (0x80 | (point >> 12 & 0x3F));
        bytes[at++] = (byte) (0x80 | (point >> 6 & 0x3F));
        bytes[at++] = (byte) (0x80 | (point & 0x3F));
      } else {
        bytes[at++] = (byte) (0xE0 | c >> 12);
        bytes[at++] = (byte) (0x80 | (c >> 6 & 0x3F));
        bytes[at++] = (byte) (0x80 | (c & 0x3F));
      }
    }
    return bytes;
  }

  private static int size(char[] chars, int from, int end) {
    int size = 0;
    for (int i = from; i < end; i++) {
      char c = chars[i];
      if (c == 0) {
        return -1;
      } else if (c < 0x80) {
        size += 1;
      } else if (c < 0x800) {
        size += 2;
      } else if (!Character.isSurrogate(c)) {
        size += 3;
      } else if (Character.isLowSurrogate(c)
          || i + 1 == end
          || !Character.isLowSurrogate(chars[++i])) {
        return -1;
      } else {
        size += 4;
      }
    }
    return size;
  }
}
