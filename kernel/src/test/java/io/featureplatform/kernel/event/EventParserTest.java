package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EventParserTest {
  private static final String GOOD = "'post': 'p1', 'ts': 1700000000000";

  private final EventParser parser = new EventParser(Events.SCHEMA, "post");
  private final Object[] out = Events.out();

  private boolean parse(String json) {
    return parser.parse(json.replace('\'', '"').getBytes(UTF_8), Events.RECORD_MS, out);
  }

  private void assertRefused(Reason expected, String json) {
    assertFalse(parse(json), json);
    assertEquals(expected, parser.reason(), json + ": " + parser.detail());
    assertFalse(parser.detail().isEmpty());
  }

  private Object value(String column, String json) {
    assertTrue(
        parse("{" + GOOD + ", '" + column + "': " + json + "}"),
        () -> json + " " + parser.reason() + " " + parser.detail());
    return out[Events.SCHEMA.indexOf(column)];
  }

  /** Every column gets the Java value of its type; unknown fields are stepped over. */
  @Test
  void readsEveryType() {
    assertTrue(
        parse(
            "{'post': 'Äß€😀\\u00e9', 'x': [{'y': [1, null]}, 'z'], 'ts': '2023-11-14T22:13:20Z',"
                + " 'watch_ms': -9223372036854775808, 'rank': 2147483647, 'score': 1.5e3,"
                + " 'price': 12.345, 'liked': true, 'seen': 7, 'other': {'ts': 'no'}}"));
    assertArrayEquals("Äß€😀é".getBytes(UTF_8), (byte[]) out[0]);
    Object[] expected = {
      Events.RECORD_MS, Long.MIN_VALUE, 2147483647, 1500.0, new BigDecimal("12.35"), true, 7L
    };
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], out[i + 1]);
    }
    assertEquals(Events.RECORD_MS, parser.eventTimeMs());
  }

  /** Absent and null columns are null, also after an event that had them. */
  @Test
  void absentAndNullAreNull() {
    assertEquals(5L, value("watch_ms", "5"));
    assertEquals(null, value("watch_ms", "null"));
    assertTrue(parse("{" + GOOD + "}"));
    assertEquals(null, out[2]);
  }

  /** Numbers are kept exactly, or rounded half up to a DECIMAL's scale. */
  @ParameterizedTest
  @CsvSource({
    "price, 7, 7.00",
    "price, -0.005, -0.01",
    "price, 0.0049999999999999999999, 0.00",
    "price, 999.99, 999.99",
    "price, 1e2, 100.00",
    "price, 1e-1000000000, 0.00",
    "price, 0e2000000000, 0.00",
    "price, -0, 0.00",
    "score, 3, 3.0",
    "score, 1e-999, 0.0",
    "score, 12345678901234567890, 1.2345678901234567E19",
    "score, -0.0, 0.0",
    "score, 1e308, 1.0E308",
    "watch_ms, -0, 0",
    "watch_ms, 9223372036854775807, 9223372036854775807",
    "seen, -5, -5",
  })
  void readsNumbers(String column, String json, String expected) {
    assertEquals(expected, value(column, json).toString());
  }

  /** Numbers that do not fit their column are refused, quickly however they are written. */
  @ParameterizedTest
  @CsvSource({
    "watch_ms, 9223372036854775808",
    "watch_ms, -9223372036854775809",
    "rank, 2147483648",
    "rank, 99999999999999999999999999",
    "score, 1e999",
    "score, -1.8e308",
    "price, 1000",
    "price, 999.995",
    "price, 1e1000000000",
    "price, 1e99999999999",
    "seen, 9223372036854775808",
  })
  void refusesNumbersOutOfRange(String column, String json) {
    assertRefused(Reason.OUT_OF_RANGE, "{" + GOOD + ", '" + column + "': " + json + "}");
  }

  /** A number of very many digits is out of range without being computed. */
  @Test
  void refusesVeryLongNumbers() {
    String digits = "1".repeat(1_500);
    assertRefused(Reason.OUT_OF_RANGE, "{" + GOOD + ", 'score': 0." + digits + "}");
    assertTrue(parse("{" + GOOD + ", 'unknown': " + digits + "}"));
  }

  /** Other programs write the same number, flag or time in other forms; each is exact. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "watch_ms | 5.0 | 5",
        "watch_ms | -5.00 | -5",
        "watch_ms | 5e0 | 5",
        "watch_ms | 50E-1 | 5",
        "watch_ms | 1e3 | 1000",
        "watch_ms | -0.0 | 0",
        "watch_ms | 0e-1000000000 | 0",
        "watch_ms | 9007199254740991.0 | 9007199254740991",
        "watch_ms | -9007199254740991e0 | -9007199254740991",
        "watch_ms | '5' | 5",
        "watch_ms | '9223372036854775807' | 9223372036854775807",
        "watch_ms | '5.0' | 5",
        "rank | 1.0 | 1",
        "rank | '2147483647' | 2147483647",
        "rank | -2.147483648e9 | -2147483648",
        "score | '1' | 1.0",
        "score | '-1.5e3' | -1500.0",
        "score | '-0' | 0.0",
        "price | '1' | 1.00",
        "price | '12.345' | 12.35",
        "price | '-1e-9' | 0.00",
        "liked | 1 | true",
        "liked | 0 | false",
        "liked | 1.0 | true",
        "liked | -0 | false",
        "liked | 'true' | true",
        "liked | 'False' | false",
        "liked | 'TRUE' | true",
        "liked | '1' | true",
        "liked | '0' | false",
        "seen | 1.0 | 1",
        "seen | 1.9 | 1",
        "seen | -0.1 | -1",
        "seen | -1e-2000000000 | -1",
        "seen | 1.79e12 | 1790000000000",
        "seen | '2026-09-21 10:00:00 UTC' | 1789984800000",
        "seen | '2026-09-21 10:00:00.5 +0000' | 1789984800500",
      })
  void readsFormsOfOtherPrograms(String column, String json, String expected) {
    assertEquals(expected, value(column, json).toString());
  }

  /** No type is taken for another that does not certainly hold the same. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "post | 5",
        "watch_ms | 5.5",
        "watch_ms | 1e-1000000000",
        "watch_ms | true",
        "watch_ms | ''",
        "watch_ms | ' 5'",
        "watch_ms | '05'",
        "watch_ms | '+5'",
        "watch_ms | '5x'",
        "watch_ms | '5e'",
        "watch_ms | '5.'",
        "watch_ms | '\u0665'",
        "rank | []",
        "score | 'NaN'",
        "price | '1,5'",
        "liked | 2",
        "liked | 0.5",
        "liked | 'yes'",
        "liked | '1.0'",
        "liked | ''",
        "seen | '1790000000000'",
        "seen | '2026-09-21'",
        "seen | 'yesterday'",
        "seen | {}",
      })
  void refusesOtherTypes(String column, String json) {
    assertRefused(Reason.WRONG_TYPE, "{'ts': 1700000000000, '" + column + "': " + json + "}");
  }

  /** An entity must be there and be a text of 1 to 1024 bytes without NUL. */
  @Test
  void checksTheEntity() {
    assertRefused(Reason.MISSING_ENTITY, "{'ts': 1}");
    assertRefused(Reason.MISSING_ENTITY, "{'ts': 1, 'post': null}");
    assertRefused(Reason.BAD_ENTITY, "{'ts': 1, 'post': ''}");
    assertRefused(Reason.BAD_ENTITY, "{'ts': 1, 'post': 'a\\u0000'}");
    assertRefused(Reason.BAD_ENTITY, "{'ts': 1, 'post': '" + "é".repeat(513) + "'}");
    assertTrue(parse("{'ts': 1, 'post': '" + "é".repeat(512) + "'}"));
  }

  /** An entity may be a number, and zero is one. */
  @Test
  void numberMayBeTheEntity() {
    EventParser numbers = new EventParser(Events.SCHEMA, "watch_ms");
    byte[] event = "{\"watch_ms\": 0, \"ts\": 1}".getBytes(UTF_8);
    assertTrue(numbers.parse(event, 1, out));
    assertFalse(numbers.parse("{\"ts\": 1}".getBytes(UTF_8), 1, out));
    assertEquals(Reason.MISSING_ENTITY, numbers.reason());
  }

  /** The event time must be an instant from 1970 on. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "-1",
        "9007199254740992.0",
        "true",
        "'noon'",
        "[1]",
        "99999999999999999999",
        "9223372036854775807",
        "253402300800000",
        "'1969-12-31T23:59Z'"
      })
  void refusesBadEventTimes(String time) {
    assertRefused(Reason.BAD_EVENT_TIME, "{'post': 'p', 'ts': " + time + "}");
  }

  /** The event time must be there, and at most max_future after the record's timestamp. */
  @Test
  void checksTheEventTime() {
    assertRefused(Reason.MISSING_EVENT_TIME, "{'post': 'p'}");
    assertRefused(Reason.MISSING_EVENT_TIME, "{'post': 'p', 'ts': null}");
    long latest = Events.RECORD_MS + Events.MAX_FUTURE_MS;
    assertTrue(parse("{'post': 'p', 'ts': " + latest + "}"));
    assertRefused(Reason.FUTURE_EVENT_TIME, "{'post': 'p', 'ts': " + (latest + 1) + "}");
    assertRefused(Reason.FUTURE_EVENT_TIME, "{'post': 'p', 'ts': 253402300799999}");
    assertTrue(parse("{'post': 'p', 'ts': 0}"));
  }

  /** Text must be Unicode without NUL, wherever the parser looks at it. */
  @Test
  void refusesBadText() {
    EventParser numbers = new EventParser(Events.SCHEMA, "watch_ms");
    for (String text :
        new String[] {"\\u0000", "\\ud800", "\\ude00", "\\ud83dx", "\\ud83d\\u0041"}) {
      byte[] event = ("{\"watch_ms\": 1, \"ts\": 1, \"post\": \"" + text + "\"}").getBytes(UTF_8);
      assertFalse(numbers.parse(event, 1, out));
      assertEquals(Reason.BAD_TEXT, numbers.reason());
    }
    assertRefused(Reason.BAD_TEXT, "{" + GOOD + ", 'x': '\0'}");
    assertFalse(parser.parse("{\"x\": \"é\"}".getBytes(ISO_8859_1), 1, out));
    assertEquals(Reason.BAD_TEXT, parser.reason());
    assertFalse(parser.parse("{\"x\": 1}".getBytes(UTF_16LE), 1, out));
    assertEquals(Reason.BAD_TEXT, parser.reason());
  }

  /** A name may stand once in an object: declared, unknown, nested, or written with an escape. */
  @Test
  void refusesDuplicateKeys() {
    assertRefused(Reason.DUPLICATE_KEY, "{" + GOOD + ", 'post': 'p1'}");
    assertRefused(Reason.DUPLICATE_KEY, "{" + GOOD + ", 'x': 1, 'x': 1}");
    assertRefused(Reason.DUPLICATE_KEY, "{" + GOOD + ", 'x': {'y': 1, 'y': 2}}");
    assertRefused(Reason.DUPLICATE_KEY, "{" + GOOD + ", '\\u0070ost': 'p2'}");
    assertTrue(parse("{" + GOOD + ", 'x': [{'y': 1}, {'y': 2}]}"));
  }

  /** Nesting is followed to a fixed depth, the event itself included. */
  @Test
  void refusesDeepNesting() {
    int inner = EventParser.DEPTH_MAX - 1;
    assertTrue(parse("{" + GOOD + ", 'x': " + "[".repeat(inner) + "]".repeat(inner) + "}"));
    String deeper = "{'y': ".repeat(inner + 1) + "1" + "}".repeat(inner + 1);
    assertRefused(Reason.TOO_DEEP, "{" + GOOD + ", 'x': " + deeper + "}");
    assertRefused(Reason.TOO_DEEP, "[".repeat(1_900));
  }

  /** Size counts in bytes, and a large event is not looked at. */
  @Test
  void refusesLargeEvents() {
    String event = "{" + GOOD + "}";
    assertTrue(parse(event + " ".repeat(2_000 - event.length())));
    assertRefused(Reason.TOO_LARGE, event + " ".repeat(2_001 - event.length()));
  }

  /** JSON, but no object. */
  @ParameterizedTest
  @ValueSource(strings = {"1", "'x'", "null", "true", "[]", "[{'ts': 1}]", "-1.5e3"})
  void refusesWhatIsNoObject(String json) {
    assertRefused(Reason.NOT_AN_OBJECT, json);
  }

  /** Nothing but exactly one value of strict JSON is accepted. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "}",
        "{'ts'",
        "{'ts':",
        "{'ts': 1",
        "{'ts': 1,}",
        "{,}",
        "{'ts' 1}",
        "{'ts': 1 'x': 2}",
        "{'x': 01}",
        "{'x': +1}",
        "{'x': .5}",
        "{'x': 1.}",
        "{'x': 1e}",
        "{'x': 0x1}",
        "{'x': NaN}",
        "{'x': Infinity}",
        "{'x': -Infinity}",
        "{'x': -}",
        "{'x': tru}",
        "{'x': TRUE}",
        "{'x': nulls}",
        "{'x': undefined}",
        "{x: 1}",
        "{1: 1}",
        "{null: 1}",
        "{'x': 'a\nb'}",
        "{'x': 'a\tb'}",
        "{'x': '\\x41'}",
        "{'x': '\\u12'}",
        "{'x': 'abc}",
        "{'x': [1,]}",
        "{'x': [1 2]}",
        "{'x': [}",
        "{'x': {]}",
        "{'x': 1}}",
        "{'x': 1} {}",
        "{'x': 1} 1",
        "{'x': 1},",
        "{'x': 1} x",
        "[1",
        "[1]]",
        "1 2",
        "12a",
        "// c\n{'x': 1}",
        "{'x': 1 /* c */}",
        "# c\n{}",
        "\uFEFF{'x': 1}",
        "{'x': 1}\u001a",
        "x",
        "{'x': \u00a01}",
        "('x': 1)",
      })
  void refusesWhatIsNotJson(String json) {
    assertRefused(Reason.NOT_JSON, json);
  }

  /** A record without a value is not JSON. */
  @Test
  void refusesNoValue() {
    assertFalse(parser.parse(null, 1, out));
    assertEquals(Reason.NOT_JSON, parser.reason());
  }

  /** The job spec's source is read as it is written. */
  @Test
  void readsTheJobSpec() {
    String json =
        """
        {"name": "s", "topic": "t", "event_time": "ts", "max_future_ms": 300000, "columns": [
          {"name": "ts", "type": "TIMESTAMP"},
          {"name": "price", "type": "DECIMAL", "precision": 10, "scale": 2}]}
        """;
    SourceSchema schema = SourceSchema.fromJson(json);
    assertEquals(new SourceColumn("price", ColumnType.DECIMAL, 10, 2), schema.columns().get(1));
    assertEquals(SourceSchema.DEFAULT_EVENT_BYTES_MAX, schema.eventBytesMax());
    assertThrows(IllegalArgumentException.class, () -> new EventParser(schema, "post_id"));
    assertThrows(IllegalArgumentException.class, () -> SourceSchema.fromJson("{}"));
  }
}
