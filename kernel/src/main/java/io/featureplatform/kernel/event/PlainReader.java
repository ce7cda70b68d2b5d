package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.math.BigDecimal;
import java.util.Arrays;

/**
 * Reads what nearly all events are: one flat JSON object without escapes, of names that came
 * before, with numbers of at most 18 digits. Of any other event it says nothing, not even that it
 * is bad: Jackson reads that.
 *
 * <p>An event takes half the time that it takes with Jackson. Reusable, not thread-safe. Hot path.
 */
final class PlainReader {
  /** How many names are known: those of the columns, then others as they come. */
  static final int NAMES_MAX = 64;

  private static final int NAME_BYTES_MAX = 128;

  private static final int OTHER = -1;
  private static final int DIGITS_MAX = 18;
  private static final int TIME_CHARS_MAX = 64;
  private static final long EXACT_DOUBLE_MAX = 1L << 53;
  private static final double[] POWERS = powersOfTen();

  private final SourceColumn[] columns;
  private final int timeIndex;
  private final TimeUnit timeUnit;
  private final byte[][] names = new byte[NAMES_MAX][];
  private final int[] next = new int[NAMES_MAX + 1];
  private final char[] time = new char[TIME_CHARS_MAX];
  private int nameCount;

  private byte[] event;
  private int at;
  private long seen;

  /** The number at which the reader has just been, without its point, and its digits after it. */
  private long digits;

  private int fraction;

  /**
   * Makes a reader.
   *
   * @param timeIndex the column of the event time
   * @param timeUnit what numbers in it count
   */
  PlainReader(SourceColumn[] columns, int timeIndex, TimeUnit timeUnit) {
    this.columns = columns;
    this.timeIndex = timeIndex;
    this.timeUnit = timeUnit;
    for (SourceColumn column : columns) {
      if (nameCount < NAMES_MAX) {
        names[nameCount] = column.name().getBytes(UTF_8);
        next[nameCount] = nameCount++;
      }
    }
  }

  /**
   * Reads an event.
   *
   * @param value UTF-8, as {@link Utf8#isText} has seen
   * @param out values by column, all null; if this returns false, some may be there
   * @return whether it was read; if not, Jackson must
   */
  boolean read(byte[] value, Object[] out) {
    event = value;
    at = 0;
    seen = 0;
    if (!take('{')) {
      return false;
    }
    if (take('}')) {
      return isEnd();
    }
    int previous = 0;
    do {
      int name = name(previous);
      if (name < 0 || !take(':') || !value(name < columns.length ? name : OTHER, out)) {
        return false;
      }
      previous = name + 1;
    } while (take(','));
    return take('}') && isEnd();
  }

  /** Steps over the space before a character and, if it is this one, over it. */
  private boolean take(char expected) {
    byte[] bytes = event;
    int i = at;
    while (i < bytes.length && isSpace(bytes[i])) {
      i++;
    }
    boolean found = i < bytes.length && bytes[i] == expected;
    at = found ? i + 1 : i;
    return found;
  }

  private static boolean isSpace(byte b) {
    return b == ' ' || b == '\n' || b == '\r' || b == '\t';
  }

  private boolean isEnd() {
    while (at < event.length && isSpace(event[at])) {
      at++;
    }
    return at == event.length;
  }

  /**
   * Reads a name; most events have the same ones in the same order.
   *
   * @param previous the number of the name before it, plus one
   * @return its number, or -1 if it came before in this event, or must be read by Jackson
   */
  private int name(int previous) {
    if (!take('"')) {
      return -1;
    }
    int guess = next[previous];
    int name = guess < nameCount && isHere(names[guess]) ? guess : find(previous);
    if (name < 0 || (seen >>> name & 1) != 0) {
      return -1;
    }
    seen |= 1L << name;
    at += names[name].length + 1;
    return name;
  }

  private boolean isHere(byte[] name) {
    int end = at + name.length;
    return end < event.length
        && event[end] == '"'
        && Arrays.equals(name, 0, name.length, event, at, end);
  }

  private int find(int previous) {
    for (int i = 0; i < nameCount; i++) {
      if (isHere(names[i])) {
        next[previous] = i;
        return i;
      }
    }
    int end = endOfText();
    if (end < 0 || end - at > NAME_BYTES_MAX || nameCount == NAMES_MAX) {
      return -1;
    }
    names[nameCount] = Arrays.copyOfRange(event, at, end);
    next[previous] = nameCount;
    return nameCount++;
  }

  /** Returns the index of the quote that ends the text here; -1 if it holds an escape. */
  private int endOfText() {
    byte[] bytes = event;
    for (int i = at; i < bytes.length; i++) {
      byte b = bytes[i];
      if (b == '"') {
        return i;
      }
      if (b == '\\' || (b >= 0 && b < ' ')) {
        return -1;
      }
    }
    return -1;
  }

  private boolean value(int column, Object[] out) {
    if (take('"')) {
      return text(column, out);
    }
    if (at == event.length) {
      return false;
    }
    return switch (event[at]) {
      case 't' -> literal("true") && flag(column, true, out);
      case 'f' -> literal("false") && flag(column, false, out);
      case 'n' -> literal("null");
      default -> number() && (column == OTHER || number(column, out));
    };
  }

  private boolean text(int column, Object[] out) {
    int from = at;
    int end = endOfText();
    if (end < 0) {
      return false;
    }
    at = end + 1;
    if (column == OTHER) {
      return true;
    }
    return switch (columns[column].type()) {
      case STRING -> {
        out[column] = Arrays.copyOfRange(event, from, end);
        yield true;
      }
      case TIMESTAMP -> time(from, end, column, out);
      case BIGINT, INT, DOUBLE, DECIMAL, BOOLEAN -> false;
    };
  }

  private boolean time(int from, int end, int column, Object[] out) {
    if (end - from > TIME_CHARS_MAX) {
      return false;
    }
    for (int i = from; i < end; i++) {
      time[i - from] = (char) event[i]; // what is not ASCII becomes a character of no time
    }
    long timeMs = IsoTime.parse(time, 0, end - from);
    out[column] = timeMs;
    return timeMs != IsoTime.NONE;
  }

  private boolean literal(String word) {
    if (event.length - at < word.length()) {
      return false;
    }
    for (int i = 0; i < word.length(); i++) {
      if (event[at + i] != word.charAt(i)) {
        return false;
      }
    }
    at += word.length();
    return true;
  }

  private boolean flag(int column, boolean value, Object[] out) {
    if (column == OTHER) {
      return true;
    }
    out[column] = value;
    return columns[column].type() == ColumnType.BOOLEAN;
  }

  /** Reads a number without exponent into {@link #digits} and {@link #fraction}. */
  private boolean number() {
    byte[] bytes = event;
    int i = at;
    boolean negative = bytes[i] == '-';
    int from = negative ? ++i : i;
    long value = 0;
    while (i < bytes.length && isDigit(bytes[i]) && i - from <= DIGITS_MAX) {
      value = value * 10 + bytes[i++] - '0';
    }
    int whole = i - from;
    if (whole == 0 || (whole > 1 && bytes[from] == '0')) {
      return false;
    }
    int after = 0;
    if (i < bytes.length && bytes[i] == '.') {
      int point = i++;
      while (i < bytes.length && isDigit(bytes[i]) && i - from <= DIGITS_MAX + 1) {
        value = value * 10 + bytes[i++] - '0';
      }
      after = i - point - 1;
      if (after == 0) {
        return false;
      }
    }
    at = i;
    digits = negative ? -value : value;
    fraction = after;
    return whole + after <= DIGITS_MAX;
  }

  private static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  private boolean number(int column, Object[] out) {
    return switch (columns[column].type()) {
      case BIGINT -> {
        boolean isWhole = dropZeros();
        out[column] = digits;
        yield isWhole;
      }
      case TIMESTAMP -> {
        boolean isWhole = dropZeros();
        out[column] = column == timeIndex ? timeUnit.toMs(digits) : digits;
        yield isWhole;
      }
      case INT -> {
        boolean isWhole = dropZeros();
        out[column] = (int) digits;
        yield isWhole && digits == (int) digits;
      }
      case BOOLEAN -> {
        out[column] = digits == 1;
        yield fraction == 0 && (digits == 0 || digits == 1);
      }
      case DOUBLE -> {
        // Both are exact as DOUBLE, so their quotient is the nearest one (Clinger 1990).
        out[column] = digits / POWERS[fraction];
        yield fraction == 0 || Math.abs(digits) <= EXACT_DOUBLE_MAX;
      }
      case DECIMAL -> {
        out[column] = columns[column].fit(BigDecimal.valueOf(digits, fraction));
        yield out[column] != null;
      }
      case STRING -> false;
    };
  }

  /** Makes {@code 5.0} a 5; returns whether the number is whole, and exact if it had a point. */
  private boolean dropZeros() {
    if (fraction == 0) {
      return true;
    }
    while (fraction > 0 && digits % 10 == 0) {
      digits /= 10;
      fraction--;
    }
    return fraction == 0 && Math.abs(digits) < NumberText.EXACT_MAX;
  }

  private static double[] powersOfTen() {
    double[] powers = new double[DIGITS_MAX + 1];
    for (int i = 0; i < powers.length; i++) {
      powers[i] = Double.parseDouble("1e" + i);
    }
    return powers;
  }
}
