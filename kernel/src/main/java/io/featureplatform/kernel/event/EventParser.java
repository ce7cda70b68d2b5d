package io.featureplatform.kernel.event;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.io.JsonEOFException;
import java.io.IOException;
import java.util.Arrays;

/**
 * Parses JSON events by the schema of their source.
 *
 * <p>Accepts exactly one JSON object of UTF-8 text, also behind the mark and id of a schema
 * registry. Columns that are absent or null are null; a value of another type than its column's is
 * refused, but for the forms that {@link ColumnReader} reads. A DECIMAL with more digits after the
 * point than its scale is rounded half up. Never throws on bad input. Reusable, not thread-safe.
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

  private static final byte BYTE_ORDER_MARK = (byte) 0xEF;
  private static final long DAY_MS = 86_400_000;

  /** How near the record's timestamp a time of another unit must be to be guessed at. */
  private static final long NEAR_MS = 3_650 * DAY_MS;

  private static final String TWICE = "duplicate name in one object";

  /** Why an event that was read as a flat one is read again. */
  private enum Doubt {
    NONE,
    /** There are names that nobody has compared. */
    NAMES,
    /** It is not JSON; but a name that occurs twice before that is reported first. */
    SYNTAX
  }

  private final SourceSchema schema;
  private final SourceColumn[] columns;
  private final FieldNames names;
  private final PlainReader plain;
  private final int entityIndex;
  private final int timeIndex;
  private final SumBound[] sums;
  private final ColumnReader reader;

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
    this.entityIndex = schema.indexOf(entityColumn);
    this.timeIndex = schema.indexOf(schema.eventTime());
    this.sums = schema.sums().toArray(SumBound[]::new);
    this.plain = triesPlain ? new PlainReader(columns, timeIndex, schema.eventTimeUnit()) : null;
    this.reader = new ColumnReader(columns, entityIndex, timeIndex, schema.eventTimeUnit());
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
          Reason.TOO_LARGE, value.length + " bytes; the limit is " + schema.eventBytesMax());
    }
    byte[] json = Framing.payload(value);
    if (!Utf8.isText(json)) {
      String known = Framing.describe(json);
      return refuse(
          Reason.BAD_TEXT, known == null ? "not UTF-8 (perhaps Latin-1), or contains NUL" : known);
    }
    if (json.length > 0 && json[0] == BYTE_ORDER_MARK) {
      return refuse(Reason.NOT_JSON, Framing.describe(json));
    }
    if (plain != null && plain.read(json, out)) {
      return checkEvent(recordTimestampMs, out);
    }
    boolean good = read(json, out);
    if (doubt != Doubt.NONE) {
      isFlat = false;
      good = read(json, out);
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
      return isFlat ? doubt(Doubt.SYNTAX) : refuse(e, value);
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
      return isFlat && start.isStructStart() ? doubt(Doubt.NAMES) : refuseValue(json, start);
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

  private boolean refuseValue(JsonParser json, JsonToken start) throws IOException {
    boolean nested =
        start == JsonToken.VALUE_STRING && json.getText().stripLeading().startsWith("{");
    String hint =
        nested
            ? " that itself contains JSON: the event was encoded twice"
            : start == JsonToken.START_ARRAY ? "; send each item as an event of its own" : "";
    return skip(json, 0)
        && readEnd(json)
        && refuse(Reason.NOT_AN_OBJECT, "got " + ColumnReader.name(start) + hint);
  }

  private boolean readEnd(JsonParser json) throws IOException {
    return json.nextToken() == null
        || refuse(Reason.NOT_JSON, "a second value follows the first; send one event per record");
  }

  /** Steps over the value that has just begun, inside this number of others. */
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
          return refuse(Reason.TOO_DEEP, "nested more than " + DEPTH_MAX + " levels deep");
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
    return reader.read(json, token, index, out) || refuse(reader.reason(), reader.detail());
  }

  private boolean checkEvent(long recordTimestampMs, Object[] out) {
    Object entity = out[entityIndex];
    if (entity == null) {
      return refuse(Reason.MISSING_ENTITY, describe(entityIndex) + ": absent or null");
    }
    if (entity instanceof byte[] text && (text.length == 0 || text.length > ENTITY_BYTES_MAX)) {
      return refuse(
          Reason.BAD_ENTITY,
          describe(entityIndex) + ": " + text.length + " bytes; allowed: 1 to " + ENTITY_BYTES_MAX);
    }
    return checkTime((Long) out[timeIndex], recordTimestampMs) && checkSums(out);
  }

  private boolean checkSums(Object[] out) {
    for (SumBound sum : sums) {
      if (!sum.takes(out[sum.column()])) {
        return refuse(
            Reason.BEYOND_SUM,
            "%s: a sum with scale %d accepts values up to %s"
                .formatted(describe(sum.column()), sum.scale(), sum.words()));
      }
    }
    return true;
  }

  private boolean checkTime(Long value, long recordTimestampMs) {
    if (value == null) {
      return refuse(Reason.MISSING_EVENT_TIME, describe(timeIndex) + ": absent or null");
    }
    boolean isNumber = columns[timeIndex].type() == ColumnType.BIGINT;
    eventTimeMs = isNumber ? schema.eventTimeUnit().toMs(value) : value;
    if (eventTimeMs < 0) {
      return refuseTime(Reason.BAD_EVENT_TIME, "before 1970", recordTimestampMs);
    }
    if (eventTimeMs > LAST_TIME_MS) {
      return refuseTime(Reason.BAD_EVENT_TIME, "after the year 9999", recordTimestampMs);
    }
    if (eventTimeMs - schema.maxFutureMs() > recordTimestampMs) {
      return refuseTime(
          Reason.FUTURE_EVENT_TIME,
          (eventTimeMs - recordTimestampMs)
              + " ms after the record's timestamp; max_future is "
              + schema.maxFutureMs(),
          recordTimestampMs);
    }
    if (eventTimeMs + schema.maxPastMs() < recordTimestampMs) {
      return refuseTime(
          Reason.EVENT_TIME_TOO_OLD,
          (recordTimestampMs - eventTimeMs) / DAY_MS
              + " days before the record's timestamp; max_past in days is "
              + schema.maxPastMs() / DAY_MS,
          recordTimestampMs);
    }
    return true;
  }

  private boolean refuseTime(Reason why, String what, long recordTimestampMs) {
    TimeUnit unit = schema.eventTimeUnit().mistakenAt(eventTimeMs, recordTimestampMs, NEAR_MS);
    String hint =
        unit == null
            ? ""
            : "; the number looks like %s: if so, write `event_time_unit: %s` in the source"
                .formatted(unit.words(), unit.setting());
    return refuse(why, describe(timeIndex) + ": " + what + hint);
  }

  private String describe(int index) {
    return reader.describe(index);
  }

  private boolean refuse(IOException error, byte[] value) {
    String message = String.valueOf(error.getMessage());
    if (message.startsWith("Duplicate field")) {
      return refuse(Reason.DUPLICATE_KEY, TWICE);
    }
    return refuse(Reason.NOT_JSON, whyNotJson(error, value));
  }

  /** Says it without Jackson's words, which hold those of the event and advice for programs. */
  private static String whyNotJson(IOException error, byte[] value) {
    String known = Framing.describe(value);
    if (known != null) {
      return known;
    }
    if (error instanceof JsonEOFException) {
      return "the JSON is truncated after " + value.length + " bytes";
    }
    if (String.valueOf(error.getMessage()).startsWith("Non-standard token")) {
      return "it contains NaN or Infinity, which JSON does not allow; send null";
    }
    long at =
        error instanceof JsonProcessingException json && json.getLocation() != null
            ? json.getLocation().getByteOffset()
            : -1;
    return "not JSON from byte " + at;
  }

  private boolean refuse(Reason why, String what) {
    reason = why;
    detail = what;
    return false;
  }
}
