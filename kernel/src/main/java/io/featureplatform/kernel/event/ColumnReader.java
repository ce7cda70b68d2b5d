package io.featureplatform.kernel.event;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * Reads the values of columns by Jackson, in each form that means the same for certain.
 *
 * <p>Programs write a whole number as {@code 5.0} because one row of a table has none, a DECIMAL or
 * a 64-bit number as a text because JavaScript would round it, and a BOOLEAN as 1 or 0. Reusable,
 * not thread-safe.
 */
final class ColumnReader {
  private static final String INEXACT =
      "the number has a fraction or exponent and is 2^53 or more, so its exact value is unknown;"
          + " send whole numbers without fraction and exponent";

  private final SourceColumn[] columns;
  private final int entityIndex;
  private final int timeIndex;
  private final TimeUnit timeUnit;
  private final NumberText number = new NumberText();
  private Reason reason;
  private String detail;

  ColumnReader(SourceColumn[] columns, int entityIndex, int timeIndex, TimeUnit timeUnit) {
    this.columns = columns;
    this.entityIndex = entityIndex;
    this.timeIndex = timeIndex;
    this.timeUnit = timeUnit;
  }

  /** Returns why a value was refused. */
  Reason reason() {
    return reason;
  }

  /** Returns for a person what is wrong with it. */
  String detail() {
    return detail;
  }

  /** Reads the value at which Jackson is; returns false if the column does not take it. */
  boolean read(JsonParser json, JsonToken token, int index, Object[] out) throws IOException {
    if (token == JsonToken.VALUE_NULL) {
      return true;
    }
    if (token.isBoolean()) {
      out[index] = json.getBooleanValue();
      return columns[index].type() == ColumnType.BOOLEAN || mistyped(index, token, "");
    }
    if (token == JsonToken.VALUE_STRING) {
      return readText(json, index, out);
    }
    if (!token.isNumeric()) {
      return mistyped(index, token, "");
    }
    if (columns[index].type() == ColumnType.STRING) {
      String hint = "; declare the column BIGINT or DOUBLE, or send a string";
      return mistyped(index, token, hint);
    }
    number.read(json.getTextCharacters(), json.getTextOffset(), json.getTextLength());
    return readNumber(index, out);
  }

  private boolean readText(JsonParser json, int index, Object[] out) throws IOException {
    char[] chars = json.getTextCharacters();
    int from = json.getTextOffset();
    int length = json.getTextLength();
    return switch (columns[index].type()) {
      case STRING -> readString(chars, from, length, index, out);
      case TIMESTAMP -> readTime(chars, from, length, index, out);
      case BOOLEAN -> readFlag(chars, from, length, index, out);
      case BIGINT, INT, DOUBLE, DECIMAL ->
          number.read(chars, from, length)
              ? readNumber(index, out)
              : mistyped(index, JsonToken.VALUE_STRING, noNumber(index));
    };
  }

  private String noNumber(int index) {
    String hint = index == timeIndex ? "; declare the column TIMESTAMP for ISO-8601" : "";
    return " that is not a JSON number" + hint;
  }

  private boolean readString(char[] chars, int from, int length, int index, Object[] out) {
    byte[] bytes = Utf8.encode(chars, from, length);
    if (bytes == null) {
      Reason why = index == entityIndex ? Reason.BAD_ENTITY : Reason.BAD_TEXT;
      return refuse(why, describe(index) + ": it contains NUL or an unpaired surrogate");
    }
    out[index] = bytes;
    return true;
  }

  private boolean readFlag(char[] chars, int from, int length, int index, Object[] out) {
    boolean isTrue =
        isWord("true", "TRUE", chars, from, length) || isChar('1', chars, from, length);
    out[index] = isTrue;
    return isTrue
        || isWord("false", "FALSE", chars, from, length)
        || isChar('0', chars, from, length)
        || mistyped(index, JsonToken.VALUE_STRING, " that is not true, false, 1 or 0");
  }

  private static boolean isChar(char expected, char[] chars, int from, int length) {
    return length == 1 && chars[from] == expected;
  }

  private static boolean isWord(String lower, String upper, char[] chars, int from, int length) {
    boolean same = length == lower.length();
    for (int i = 0; same && i < length; i++) {
      same = chars[from + i] == lower.charAt(i) || chars[from + i] == upper.charAt(i);
    }
    return same;
  }

  private boolean readTime(char[] chars, int from, int length, int index, Object[] out) {
    if (number.read(chars, from, length)) {
      return index == timeIndex
          ? readNumber(index, out)
          : mistyped(index, JsonToken.VALUE_STRING, " of digits; send the number without quotes");
    }
    long timeMs = IsoTime.parse(chars, from, length);
    if (timeMs == IsoTime.NONE) {
      Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.WRONG_TYPE;
      return refuse(
          why, describe(index) + ": not an ISO-8601 time such as 2026-09-21T10:00:00.123Z");
    }
    out[index] = timeMs;
    return true;
  }

  /** Puts {@link #number} into a column that is no STRING. */
  private boolean readNumber(int index, Object[] out) {
    ColumnType type = columns[index].type();
    if (type == ColumnType.DOUBLE && !number.isLong()) {
      double value = number.nearest();
      out[index] = value;
      return !Double.isInfinite(value) || misfit(index);
    }
    if (number.isShort() && type != ColumnType.DECIMAL && type != ColumnType.BOOLEAN) {
      return readShort(number.shortValue(), index, out);
    }
    if (number.isTooLong()) {
      return misfit(index);
    }
    BigDecimal value = number.decimal();
    return switch (type) {
      case BIGINT, INT -> readWhole(value, index, out);
      case TIMESTAMP -> readTime(value, index, out);
      case DECIMAL -> {
        out[index] = columns[index].fit(value);
        yield out[index] != null || misfit(index);
      }
      case BOOLEAN -> {
        boolean isOne = value.compareTo(BigDecimal.ONE) == 0;
        out[index] = isOne;
        yield isOne
            || value.signum() == 0
            || mistyped(index, JsonToken.VALUE_NUMBER_INT, " that is neither 1 nor 0");
      }
      case DOUBLE, STRING -> throw new IllegalStateException(type.name());
    };
  }

  private boolean readShort(long value, int index, Object[] out) {
    if (columns[index].type() == ColumnType.INT) {
      out[index] = (int) value;
      return value == (int) value || misfit(index);
    }
    boolean isTime = columns[index].type() == ColumnType.TIMESTAMP;
    out[index] = isTime ? unit(index).toMs(value) : value;
    return true;
  }

  private TimeUnit unit(int index) {
    return index == timeIndex ? timeUnit : TimeUnit.MS;
  }

  private boolean readWhole(BigDecimal value, int index, Object[] out) {
    if (!number.isWhole()) {
      if (!NumberText.isExact(value)) {
        return inexact(index);
      }
      if (value.signum() != 0 && value.stripTrailingZeros().scale() > 0) {
        return mistyped(index, JsonToken.VALUE_NUMBER_FLOAT, " that is not a whole number");
      }
    }
    return columns[index].type() == ColumnType.INT
        ? readInt(value.toBigInteger(), index, out)
        : readLong(value.toBigInteger(), index, out);
  }

  private boolean readLong(BigInteger value, int index, Object[] out) {
    out[index] = value.longValue();
    return value.bitLength() < Long.SIZE || misfit(index);
  }

  private boolean readInt(BigInteger value, int index, Object[] out) {
    out[index] = value.intValue();
    return value.bitLength() < Integer.SIZE || misfit(index);
  }

  private boolean readTime(BigDecimal value, int index, Object[] out) {
    if (number.isWhole()) {
      BigInteger whole = value.toBigInteger();
      out[index] = unit(index).toMs(whole.longValue());
      return whole.bitLength() < Long.SIZE || misfit(index);
    }
    if (!NumberText.isExact(value)) {
      return inexact(index);
    }
    out[index] = unit(index).toMs(value);
    return true;
  }

  boolean mistyped(int index, JsonToken token, String more) {
    Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.WRONG_TYPE;
    return refuse(why, describe(index) + ": got " + name(token) + more);
  }

  private boolean misfit(int index) {
    return outOfRange(index, "the number does not fit");
  }

  private boolean inexact(int index) {
    return outOfRange(index, INEXACT);
  }

  private boolean outOfRange(int index, String what) {
    Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.OUT_OF_RANGE;
    return refuse(why, describe(index) + ": " + what);
  }

  /** Returns a column as definitions write it. */
  String describe(int index) {
    SourceColumn column = columns[index];
    String digits =
        column.type() == ColumnType.DECIMAL
            ? "(" + column.precision() + "," + column.scale() + ")"
            : "";
    return "column " + column.name() + " " + column.type() + digits;
  }

  /** Returns what kind of value a token is. */
  static String name(JsonToken token) {
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
      case VALUE_TRUE, VALUE_FALSE -> "a boolean";
      default -> "null";
    };
  }

  private boolean refuse(Reason why, String what) {
    reason = why;
    detail = what;
    return false;
  }
}
