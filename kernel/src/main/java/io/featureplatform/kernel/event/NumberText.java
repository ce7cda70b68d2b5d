package io.featureplatform.kernel.event;

import java.math.BigDecimal;

/**
 * A number as JSON writes it, wherever it is: as a number, or as the whole content of a text.
 * Reusable, not thread-safe.
 */
final class NumberText {
  /** How many characters a number may have. */
  static final int LENGTH_MAX = 1000;

  /** The largest exponent, positive or negative. */
  static final long EXPONENT_MAX = 2_000_000_000L;

  /** From here on neighbouring whole numbers are one and the same DOUBLE. */
  static final long EXACT_MAX = 1L << 53;

  private static final BigDecimal EXACT_LIMIT = BigDecimal.valueOf(EXACT_MAX);
  private static final int EXACT_DIGITS_MAX = 16;
  private static final int SHORT_MAX = 18;

  private char[] chars;
  private int from;
  private int end;
  private int at;
  private boolean isWhole;
  private long exponent;

  /** Returns whether the characters are a number of JSON's grammar. */
  boolean read(char[] characters, int offset, int length) {
    chars = characters;
    from = offset;
    end = offset + length;
    at = from;
    isWhole = true;
    exponent = 0;
    if (peek() == '-') {
      at++;
    }
    boolean zero = peek() == '0';
    int whole = digits();
    if (whole == 0 || (zero && whole > 1)) {
      return false;
    }
    if (peek() == '.') {
      at++;
      isWhole = false;
      if (digits() == 0) {
        return false;
      }
    }
    return (peek() != 'e' && peek() != 'E' || exponent()) && at == end;
  }

  private boolean exponent() {
    at++;
    isWhole = false;
    if (peek() == '-' || peek() == '+') {
      at++;
    }
    int first = at;
    if (digits() == 0) {
      return false;
    }
    for (int i = first; i < at; i++) {
      exponent = Math.min(exponent * 10 + chars[i] - '0', EXPONENT_MAX + 1);
    }
    return true;
  }

  private char peek() {
    return at < end ? chars[at] : 0;
  }

  private int digits() {
    int first = at;
    while (peek() >= '0' && peek() <= '9') {
      at++;
    }
    return at - first;
  }

  /** Returns whether the number has more characters than are computed with. */
  boolean isLong() {
    return end - from > LENGTH_MAX;
  }

  /** Returns whether the number is too long, or its exponent too large, to be computed with. */
  boolean isTooLong() {
    return isLong() || exponent > EXPONENT_MAX;
  }

  /** Returns whether the number has neither fraction nor exponent. */
  boolean isWhole() {
    return isWhole;
  }

  /** Returns whether the number is whole and certainly a long. */
  boolean isShort() {
    return isWhole && end - from <= SHORT_MAX;
  }

  /** Returns the number, which is short. */
  long shortValue() {
    boolean negative = chars[from] == '-';
    long value = 0;
    for (int i = negative ? from + 1 : from; i < end; i++) {
      value = value * 10 + chars[i] - '0';
    }
    return negative ? -value : value;
  }

  /** Returns the number, which is not too long. */
  BigDecimal decimal() {
    return new BigDecimal(chars, from, end - from);
  }

  /** Returns the nearest DOUBLE, infinite if it is beyond the largest. */
  double nearest() {
    return Double.parseDouble(new String(chars, from, end - from)) + 0.0;
  }

  /** Returns whether a number is so small that no other whole number has the same DOUBLE. */
  static boolean isExact(BigDecimal value) {
    return value.signum() == 0
        || (integerDigits(value) <= EXACT_DIGITS_MAX && value.abs().compareTo(EXACT_LIMIT) < 0);
  }

  /** Returns the number of digits before the point; negative with zeros right behind it. */
  static long integerDigits(BigDecimal value) {
    return (long) value.precision() - value.scale();
  }
}
