package io.featureplatform.kernel.event;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.math.BigDecimal;
import java.util.Arrays;

/**
 * Parses JSON events by the schema of their source.
 *
 * <p>Accepts exactly one JSON object of UTF-8 text. Columns that are absent or null are null; a
 * value of another type than its column's is refused, except that a whole number may stand for a
 * DOUBLE or DECIMAL. A DECIMAL with more digits after the point than its scale is rounded half up.
 * Never throws on bad input. Reusable, not thread-safe.
 *
 * <p>{@link PlainReader} reads most events, Jackson all others. A name may occur once in an object.
 * For flat events {@link FieldNames} sees to that. The first event that has more makes the parser
 * read it again, and all later ones, as Jackson does it: a source whose events hold objects mostly
 * holds them in all.
 */
public final class EventParser {
  /** How deep objects and arrays may be nested, the event itself included. */
  public static final int DEPTH_MAX = 64;

  /** How many bytes of UTF-8 an entity may have. */
  public static final int ENTITY_BYTES_MAX = 1024;

  /** The latest event time: the last millisecond of the year 9999, in epoch milliseconds. */
  public static final long LAST_TIME_MS = 253_402_300_799_999L;

  private static final int NUMBER_LENGTH_MAX = 1000;
  private static final String TWICE = "a name occurs twice in one object";

  /** Why an event that was read as a flat one is read again. */
  private enum Doubt {
    NONE,
    /** There are names that nobody has compared. */
    NAMES,
    /** It is no JSON; but a name that occurs twice before that is told first. */
    SYNTAX
  }

  private final SourceSchema schema;
  private final SourceColumn[] columns;
  private final FieldNames names;
  private final PlainReader plain;
  private final int entityIndex;
  private final int timeIndex;
  private final SumBound[] sums;

  private final JsonFactory flatFactory = factory(false);
  private final JsonFactory anyFactory = factory(true);
  private boolean isFlat = true;
  private Doubt doubt = Doubt.NONE;
  private long eventTimeMs;
  private Reason reason;
  private String detail;

  /**
   * Makes a parser.
   *
   * @param entityColumn the column that must hold an entity
   * @throws IllegalArgumentException if the source does not have the entity or event time column
   */
  public EventParser(SourceSchema schema, String entityColumn) {
    this(schema, entityColumn, true);
  }

  /** Makes a parser that may leave all events to Jackson. */
  EventParser(SourceSchema schema, String entityColumn, boolean triesPlain) {
    this.schema = schema;
    this.columns = schema.columns().toArray(SourceColumn[]::new);
    this.names = new FieldNames(schema.columns());
    this.plain = triesPlain ? new PlainReader(columns) : null;
    this.entityIndex = schema.indexOf(entityColumn);
    this.timeIndex = schema.indexOf(schema.eventTime());
    this.sums = schema.sums().toArray(SumBound[]::new);
  }

  private static JsonFactory factory(boolean findsDuplicates) {
    return JsonFactory.builder()
        .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, findsDuplicates)
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
        .streamReadConstraints(unlimited())
        .build();
  }

  /**
   * Parses one event.
   *
   * @param value the record's value; null for a record without one
   * @param recordTimestampMs the broker's timestamp of the record
   * @param out on success filled with a value per column of the schema, as {@link ColumnType} says
   * @return whether the event counts; if not, {@link #reason} and {@link #detail} say why
   */
  public boolean parse(byte[] value, long recordTimestampMs, Object[] out) {
    Arrays.fill(out, 0, columns.length, null);
    reason = null;
    detail = null;
    if (value == null) {
      return refuse(Reason.NOT_JSON, "the record has no value");
    }
    if (value.length > schema.eventBytesMax()) {
      return refuse(
          Reason.TOO_LARGE, value.length + " bytes, allowed are " + schema.eventBytesMax());
    }
    if (!Utf8.isText(value)) {
      return refuse(Reason.BAD_TEXT, "not UTF-8, or it holds NUL");
    }
    if (value.length > 0 && value[0] == (byte) 0xEF && value[1] == (byte) 0xBB) {
      return refuse(Reason.NOT_JSON, "starts with a byte order mark");
    }
    if (plain != null && plain.read(value, out)) {
      return checkEvent(recordTimestampMs, out);
    }
    boolean good = read(value, out);
    if (doubt != Doubt.NONE) {
      isFlat = false;
      good = read(value, out);
      isFlat = doubt == Doubt.SYNTAX;
      doubt = Doubt.NONE;
    }
    return good && checkEvent(recordTimestampMs, out);
  }

  /** Reads an event by Jackson; what was read of it before does not count. */
  private boolean read(byte[] value, Object[] out) {
    Arrays.fill(out, 0, columns.length, null);
    JsonFactory factory = isFlat ? flatFactory : anyFactory;
    try (JsonParser json = factory.createParser(value)) {
      return readEvent(json, out);
    } catch (IOException e) {
      return isFlat ? doubt(Doubt.SYNTAX) : refuse(e);
    }
  }

  private boolean doubt(Doubt why) {
    doubt = why;
    return false;
  }

  /** Returns the event time of the event just parsed, in epoch milliseconds. */
  public long eventTimeMs() {
    return eventTimeMs;
  }

  /** Returns why the event just parsed is refused. */
  public Reason reason() {
    return reason;
  }

  /** Returns for a person what is wrong with the event; without the event's own content. */
  public String detail() {
    return detail;
  }

  private static StreamReadConstraints unlimited() {
    return StreamReadConstraints.builder()
        .maxNestingDepth(Integer.MAX_VALUE)
        .maxNumberLength(Integer.MAX_VALUE)
        .maxStringLength(Integer.MAX_VALUE)
        .maxNameLength(Integer.MAX_VALUE)
        .build();
  }

  private boolean readEvent(JsonParser json, Object[] out) throws IOException {
    JsonToken start = json.nextToken();
    if (start == null) {
      return refuse(Reason.NOT_JSON, "the value is empty");
    }
    if (start != JsonToken.START_OBJECT) {
      return isFlat && start.isStructStart()
          ? doubt(Doubt.NAMES)
          : skip(json, 0) && readEnd(json) && refuse(Reason.NOT_AN_OBJECT, "got " + name(start));
    }
    names.begin();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      int index = names.column(name);
      if (isFlat && index == FieldNames.OTHER && names.isFull()) {
        return doubt(Doubt.NAMES);
      }
      if (isFlat && !names.add(name, index)) {
        return refuse(Reason.DUPLICATE_KEY, TWICE);
      }
      JsonToken token = json.nextToken();
      if (index == FieldNames.OTHER ? !skip(json, 1) : !readColumn(json, token, index, out)) {
        return false;
      }
    }
    return readEnd(json);
  }

  private boolean readEnd(JsonParser json) throws IOException {
    return json.nextToken() == null || refuse(Reason.NOT_JSON, "something follows the value");
  }

  /** Steps over the value that has just begun, inside so many others. */
  private boolean skip(JsonParser json, int outerDepth) throws IOException {
    int depth = outerDepth;
    JsonToken token = json.currentToken();
    while (true) {
      if (isFlat && token == JsonToken.START_OBJECT) {
        return doubt(Doubt.NAMES);
      }
      if (token.isStructStart()) {
        depth++;
        if (depth > DEPTH_MAX) {
          return refuse(Reason.TOO_DEEP, "nested deeper than " + DEPTH_MAX);
        }
      } else if (token.isStructEnd()) {
        depth--;
      }
      if (depth == outerDepth) {
        return true;
      }
      token = json.nextToken();
    }
  }

  private boolean readColumn(JsonParser json, JsonToken token, int index, Object[] out)
      throws IOException {
    if (token == JsonToken.VALUE_NULL) {
      return true;
    }
    boolean integer = token == JsonToken.VALUE_NUMBER_INT;
    boolean number = integer || token == JsonToken.VALUE_NUMBER_FLOAT;
    boolean text = token == JsonToken.VALUE_STRING;
    if (number && json.getTextLength() > NUMBER_LENGTH_MAX) {
      return misfit(index);
    }
    return switch (columns[index].type()) {
      case BIGINT -> integer ? readLong(json, index, out) : mistyped(index, token);
      case TIMESTAMP -> {
        if (text) {
          yield readTime(json, index, out);
        }
        yield integer ? readLong(json, index, out) : mistyped(index, token);
      }
      case INT -> integer ? readInt(json, index, out) : mistyped(index, token);
      case DOUBLE -> number ? readDouble(json, index, out) : mistyped(index, token);
      case DECIMAL -> number ? readDecimal(json, index, out) : mistyped(index, token);
      case STRING -> text ? readText(json, index, out) : mistyped(index, token);
      case BOOLEAN -> token.isBoolean() ? readBoolean(json, index, out) : mistyped(index, token);
    };
  }

  private boolean readLong(JsonParser json, int index, Object[] out) throws IOException {
    if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      return misfit(index);
    }
    out[index] = json.getLongValue();
    return true;
  }

  private boolean readInt(JsonParser json, int index, Object[] out) throws IOException {
    if (json.getNumberType() != JsonParser.NumberType.INT) {
      return misfit(index);
    }
    out[index] = json.getIntValue();
    return true;
  }

  private boolean readDouble(JsonParser json, int index, Object[] out) throws IOException {
    double value = json.getDoubleValue();
    if (Double.isInfinite(value)) {
      return misfit(index);
    }
    out[index] = value + 0.0;
    return true;
  }

  private boolean readDecimal(JsonParser json, int index, Object[] out) throws IOException {
    BigDecimal value;
    try {
      value = json.getDecimalValue();
    } catch (JsonParseException | NumberFormatException exponentTooLong) {
      return misfit(index);
    }
    out[index] = columns[index].fit(value);
    return out[index] != null || misfit(index);
  }

  private boolean readText(JsonParser json, int index, Object[] out) throws IOException {
    byte[] bytes =
        Utf8.encode(json.getTextCharacters(), json.getTextOffset(), json.getTextLength());
    if (bytes == null) {
      Reason why = index == entityIndex ? Reason.BAD_ENTITY : Reason.BAD_TEXT;
      return refuse(why, describe(index) + ": it holds NUL or half a surrogate pair");
    }
    out[index] = bytes;
    return true;
  }

  private boolean readTime(JsonParser json, int index, Object[] out) throws IOException {
    long timeMs =
        IsoTime.parse(json.getTextCharacters(), json.getTextOffset(), json.getTextLength());
    if (timeMs == IsoTime.NONE) {
      Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.WRONG_TYPE;
      return refuse(why, describe(index) + ": the text is no ISO-8601 time");
    }
    out[index] = timeMs;
    return true;
  }

  private boolean readBoolean(JsonParser json, int index, Object[] out) throws IOException {
    out[index] = json.getBooleanValue();
    return true;
  }

  private boolean checkEvent(long recordTimestampMs, Object[] out) {
    Object entity = out[entityIndex];
    if (entity == null) {
      return refuse(Reason.MISSING_ENTITY, describe(entityIndex) + ": absent or null");
    }
    if (entity instanceof byte[] text && (text.length == 0 || text.length > ENTITY_BYTES_MAX)) {
      return refuse(
          Reason.BAD_ENTITY,
          describe(entityIndex) + ": " + text.length + " bytes, allowed 1-" + ENTITY_BYTES_MAX);
    }
    if (out[timeIndex] == null) {
      return refuse(Reason.MISSING_EVENT_TIME, describe(timeIndex) + ": absent or null");
    }
    eventTimeMs = (Long) out[timeIndex];
    if (eventTimeMs < 0) {
      return refuse(Reason.BAD_EVENT_TIME, describe(timeIndex) + ": before 1970");
    }
    if (eventTimeMs > LAST_TIME_MS) {
      return refuse(Reason.BAD_EVENT_TIME, describe(timeIndex) + ": after the year 9999");
    }
    if (eventTimeMs - schema.maxFutureMs() > recordTimestampMs) {
      return refuse(
          Reason.FUTURE_EVENT_TIME,
          describe(timeIndex)
              + ": "
              + (eventTimeMs - recordTimestampMs)
              + " ms after the record's timestamp, allowed are "
              + schema.maxFutureMs());
    }
    for (SumBound sum : sums) {
      if (!sum.takes(out[sum.column()])) {
        return refuse(
            Reason.BEYOND_SUM,
            "%s: a sum of scale %d takes values up to %s"
                .formatted(describe(sum.column()), sum.scale(), sum.words()));
      }
    }
    return true;
  }

  private boolean mistyped(int index, JsonToken token) {
    Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.WRONG_TYPE;
    return refuse(why, describe(index) + ": got " + name(token));
  }

  private boolean misfit(int index) {
    Reason why = index == timeIndex ? Reason.BAD_EVENT_TIME : Reason.OUT_OF_RANGE;
    return refuse(why, describe(index) + ": the number does not fit");
  }

  private String describe(int index) {
    SourceColumn column = columns[index];
    String digits =
        column.type() == ColumnType.DECIMAL
            ? "(" + column.precision() + "," + column.scale() + ")"
            : "";
    return "column " + column.name() + " " + column.type() + digits;
  }

  private static String name(JsonToken token) {
    return switch (token) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "a string";
      case VALUE_NUMBER_INT -> "a whole number";
      case VALUE_NUMBER_FLOAT -> "a number with a fraction or exponent";
      case VALUE_TRUE, VALUE_FALSE -> "a boolean";
      default -> "null";
    };
  }

  private boolean refuse(IOException error) {
    String message = String.valueOf(error.getMessage());
    int line = message.indexOf('\n');
    String first = line < 0 ? message : message.substring(0, line);
    return message.startsWith("Duplicate field")
        ? refuse(Reason.DUPLICATE_KEY, TWICE)
        : refuse(Reason.NOT_JSON, first);
  }

  private boolean refuse(Reason why, String what) {
    reason = why;
    detail = what;
    return false;
  }
}
