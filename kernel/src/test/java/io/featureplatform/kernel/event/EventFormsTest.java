package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Times by their unit, what stands in front of JSON, and what is said of what is none. */
class EventFormsTest {
  private static final String GOOD = "'post': 'p1', 'ts': 1700000000000";

  private final EventParser parser = new EventParser(Events.SCHEMA, "post");
  private final Object[] out = Events.out();

  private static EventParser parser(TimeUnit unit, ColumnType type, long maxPastMs) {
    List<SourceColumn> columns =
        List.of(Events.column("id", ColumnType.BIGINT), Events.column("at", type));
    return new EventParser(
        new SourceSchema(
            "s", "s", "at", unit, 1_000, maxPastMs, 2_000, columns, List.of(), Long.MIN_VALUE),
        "id");
  }

  private static boolean parseTime(EventParser parser, String time) {
    String json = "{\"id\": 1, \"at\": " + time.replace('\'', '"') + "}";
    return parser.parse(json.getBytes(UTF_8), Events.RECORD_MS, new Object[2]);
  }

  /** A number counts what the source says; a text of digits is such a number, ISO-8601 is not. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "S | 1699999999 | 1699999999000",
        "S | 1699999999.1239 | 1699999999123",
        "S | '1699999999' | 1699999999000",
        "S | '2023-11-14T22:13:20Z' | 1700000000000",
        "MS | 1700000000000.0 | 1700000000000",
        "MS | '1700000000000' | 1700000000000",
        "US | 1700000000000999 | 1700000000000",
        "US | 1.7e15 | 1700000000000",
        "NS | 1700000000000999999 | 1700000000000",
      })
  void readsTimesInTheSourcesUnit(TimeUnit unit, String time, long expected) {
    EventParser timed = parser(unit, ColumnType.TIMESTAMP, Events.RECORD_MS);
    assertTrue(parseTime(timed, time), () -> timed.detail());
    assertEquals(expected, timed.eventTimeMs());
    if (!time.contains(":") && !time.contains(".")) {
      EventParser whole = parser(unit, ColumnType.BIGINT, Events.RECORD_MS);
      assertTrue(parseTime(whole, time), () -> whole.detail());
      assertEquals(expected, whole.eventTimeMs());
    }
  }

  /** A time of another unit is refused in words that name the unit. */
  @ParameterizedTest
  @CsvSource({
    "MS, 1700000000, EVENT_TIME_TOO_OLD, seconds, s",
    "MS, 1700000000.5, EVENT_TIME_TOO_OLD, seconds, s",
    "MS, 1700000000000000, BAD_EVENT_TIME, microseconds, us",
    "MS, 1700000000000000000, BAD_EVENT_TIME, nanoseconds, ns",
    "S, 1700000000000, BAD_EVENT_TIME, milliseconds, ms",
    "US, 1700000000000, EVENT_TIME_TOO_OLD, milliseconds, ms",
    "NS, 1700000000000000, EVENT_TIME_TOO_OLD, microseconds, us",
  })
  void namesTheUnitThatATimeLooksLike(
      TimeUnit unit, String time, Reason why, String words, String setting) {
    for (ColumnType type : List.of(ColumnType.TIMESTAMP, ColumnType.BIGINT)) {
      if (type == ColumnType.BIGINT && time.contains(".")) {
        continue;
      }
      EventParser timed = parser(unit, type, 3_650L * 86_400_000);
      assertFalse(parseTime(timed, time));
      assertEquals(why, timed.reason());
      assertTrue(
          timed
              .detail()
              .endsWith(
                  "; the number looks like "
                      + words
                      + ": if so, write `event_time_unit: "
                      + setting
                      + "` in the source"),
          timed.detail());
    }
  }

  /** An event may be max_past older than its record, and no more. */
  @Test
  void refusesOldEvents() {
    EventParser timed = parser(TimeUnit.MS, ColumnType.TIMESTAMP, 2 * 86_400_000L);
    assertTrue(parseTime(timed, "" + (Events.RECORD_MS - 2 * 86_400_000L)));
    assertFalse(parseTime(timed, "" + (Events.RECORD_MS - 2 * 86_400_000L - 1)));
    assertEquals(Reason.EVENT_TIME_TOO_OLD, timed.reason());
    assertEquals(
        "column at TIMESTAMP: 2 days before the record's timestamp; max_past in days is" + " 2",
        timed.detail());
  }

  private static byte[] bytes(String latin1) {
    return latin1.getBytes(ISO_8859_1);
  }

  /** A schema registry's mark and id in front of an object are stepped over. */
  @Test
  void readsBehindARegistrysMark() {
    String json = "{" + GOOD.replace('\'', '"') + ", \"rank\": 5}";
    assertTrue(parser.parse(bytes("\0\0\0\0\u0007" + json), Events.RECORD_MS, out));
    assertEquals(5, out[3]);
    assertTrue(parser.parse(bytes("\0\0\0\0\u0007 \n" + json), Events.RECORD_MS, out));
    assertFalse(parser.parse(bytes("\0\0\0\0\u0007\0" + json), Events.RECORD_MS, out));
  }

  /** What is no JSON is called by its name, in words without those of the event or of Jackson. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\\000\\000\\000\\000\\007\\002\\006abc | BAD_TEXT | schema id 7, as schema"
            + " registry serializers",
        "\\357\\273\\277{} | NOT_JSON | byte order mark",
        "\\377\\376{\\000}\\000 | BAD_TEXT | UTF-16",
        "{\\000}\\000 | BAD_TEXT | UTF-16",
        "\\000{\\000} | BAD_TEXT | UTF-16",
        "\\037\\213\\010x | BAD_TEXT | gzip",
        "Obj\\001x | NOT_JSON | Avro",
        "\\n\\005hello | NOT_JSON | Protobuf",
        "\\003\\000234567890123456789 | BAD_TEXT | Glue",
        "{`x`: `\\344`} | BAD_TEXT | Latin-1",
        "[{`x`: 1}] | NOT_AN_OBJECT | send each item",
        "`{\\\\`x\\\\`: 1}` | NOT_AN_OBJECT | encoded twice",
        "{`x`: 1}\\n{`x`: 2} | NOT_JSON | one event per record",
        "{`x`: NaN} | NOT_JSON | NaN or Infinity",
        "{`x`: secret} | NOT_JSON | from byte",
        "{`secret | NOT_JSON | truncated after 8 bytes",
        "<secret/> | NOT_JSON | XML",
        "secret=1 | NOT_JSON | not JSON from byte",
      })
  void saysWhatItLooksLike(String value, Reason why, String words) {
    byte[] event = bytes(value.replace('`', '"').translateEscapes());
    assertFalse(parser.parse(event, Events.RECORD_MS, out));
    assertEquals(why, parser.reason(), parser.detail());
    assertTrue(parser.detail().contains(words), parser.detail());
    for (String leak : List.of("secret", "Feature", "hello", "token")) {
      assertFalse(parser.detail().contains(leak), parser.detail());
    }
  }
}
