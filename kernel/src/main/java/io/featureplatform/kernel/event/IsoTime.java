package io.featureplatform.kernel.event;

import java.time.LocalDate;
import java.time.YearMonth;

/**
 * Reads {@code 2024-05-06T07:08:09.123Z}: ISO-8601 date and time to the minute or finer, a zone of
 * {@code Z}, {@code UTC}, {@code GMT} or an offset, after a space or not, UTC without one. What is
 * finer than a millisecond is cut off.
 */
final class IsoTime {
  /** Says that the text is not an instant. */
  static final long NONE = Long.MIN_VALUE;

  private static final int MINUTE_MS = 60_000;

  private final char[] chars;
  private final int end;
  private int at;
  private boolean failed;

  private IsoTime(char[] chars, int from, int length) {
    this.chars = chars;
    this.at = from;
    this.end = from + length;
  }

  /** Returns epoch milliseconds, or {@link #NONE}. */
  static long parse(char[] chars, int from, int length) {
    return new IsoTime(chars, from, length).parse();
  }

  private long parse() {
    int year = digits(4, 9999);
    take('-', '-');
    int month = digits(2, 12);
    take('-', '-');
    int day = digits(2, 31);
    if (!take('T', 't')) {
      failed = false;
      take(' ', ' ');
    }
    int hour = digits(2, 23);
    take(':', ':');
    int minute = digits(2, 59);
    int second = 0;
    int millisecond = 0;
    if (peek() == ':') {
      at++;
      second = digits(2, 59);
      if (peek() == '.' || peek() == ',') {
        at++;
        millisecond = fraction();
      }
    }
    long offsetMs = zone();
    if (failed || at != end || month == 0 || day == 0) {
      return NONE;
    }
    if (day > YearMonth.of(year, month).lengthOfMonth()) {
      return NONE;
    }
    long minutes = LocalDate.of(year, month, day).toEpochDay() * 1440 + hour * 60 + minute;
    return minutes * MINUTE_MS + second * 1000L + millisecond - offsetMs;
  }

  private long zone() {
    if (at == end) {
      return 0;
    }
    if (peek() == ' ') {
      at++;
    }
    if (isWord("Z") || isWord("z") || isWord("UTC") || isWord("GMT")) {
      at = end;
      return 0;
    }
    char sign = peek();
    failed |= sign != '+' && sign != '-';
    at++;
    int minutes = digits(2, 23) * 60;
    if (at < end) {
      if (peek() == ':') {
        at++;
      }
      minutes += digits(2, 59);
    }
    return (sign == '-' ? -1L : 1L) * minutes * MINUTE_MS;
  }

  /** Returns whether what is left is a word. */
  private boolean isWord(String word) {
    boolean same = end - at == word.length();
    for (int i = 0; same && i < word.length(); i++) {
      same = chars[at + i] == word.charAt(i);
    }
    return same;
  }

  /** Reads one to nine digits after the point; returns milliseconds. */
  private int fraction() {
    int value = 0;
    int count = 0;
    while (count < 9 && isDigit()) {
      if (count < 3) {
        value = value * 10 + chars[at] - '0';
      }
      at++;
      count++;
    }
    failed |= count == 0;
    return count == 1 ? value * 100 : count == 2 ? value * 10 : value;
  }

  private int digits(int count, int maximum) {
    int value = 0;
    for (int i = 0; i < count; i++) {
      if (!isDigit()) {
        failed = true;
        return 0;
      }
      value = value * 10 + chars[at++] - '0';
    }
    failed |= value > maximum;
    return value;
  }

  private boolean isDigit() {
    return at < end && chars[at] >= '0' && chars[at] <= '9';
  }

  private char peek() {
    return at < end ? chars[at] : 0;
  }

  private boolean take(char expected, char alternative) {
    if (peek() == expected || peek() == alternative) {
      at++;
      return true;
    }
    failed = true;
    return false;
  }
}
