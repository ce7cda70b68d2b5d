package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class EventParserLawsTest {
  private static final JsonMapper STRICT =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .build();
  private static final String[] PIECES = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "1e400",
    "-0",
    "1.5",
    "9223372036854775808",
    "\"post\":",
    "\"ts\":",
    "\"x\":",
    "\u00e9",
    "\uD83D\uDE00",
    " ",
    "NaN",
    "//",
    "'",
    "0",
    "[[[[",
    "{\"x\":1}",
    "\"2024-01-01T00:00Z\"",
    "\"2024-01-01 00:00 UTC\"",
    "5.0",
    "5e0",
    "\"5\"",
    "\"12.50\"",
    "\"True\"",
    "9007199254740992.0",
    "9007199254740991.0",
    "-1e-2000000000",
    "1e2000000001",
  };

  private final EventParser parser = new EventParser(Events.SCHEMA, "post");
  private final Object[] out = Events.out();

  private static String event(Random random) {
    ObjectNode event = STRICT.createObjectNode();
    for (SourceColumn column : Events.SCHEMA.columns()) {
      boolean needed = column.name().equals("post") || column.name().equals("ts");
      if (needed || random.nextInt(4) > 0) {
        put(event, column, random);
      }
    }
    if (random.nextBoolean()) {
      event.putObject("x" + random.nextInt(3)).putArray("y").add(1).addNull().add("z\\\"");
    }
    return event.toString();
  }

  private static void put(ObjectNode event, SourceColumn column, Random random) {
    String name = column.name();
    switch (column.type()) {
      case STRING -> event.put(name, "p\u00e9\uD83D\uDE00" + escaped(random) + random.nextInt());
      case TIMESTAMP -> event.put(name, random.nextLong(Events.RECORD_MS));
      case BIGINT -> event.put(name, random.nextLong());
      case INT -> event.put(name, random.nextInt());
      case DOUBLE -> event.put(name, random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20));
      case DECIMAL -> event.put(name, BigDecimal.valueOf(random.nextInt(9_999_999) - 4_999_999, 4));
      case BOOLEAN -> event.put(name, random.nextBoolean());
    }
  }

  private static String escaped(Random random) {
    return random.nextBoolean() ? "\n\"" : "";
  }

  /** Every value of a good event is what a tree of the whole JSON holds. */
  @Property(tries = 2000)
  void agreesWithTheTree(@ForAll Random random) throws IOException {
    byte[] value = event(random).getBytes(UTF_8);
    assertTrue(parser.parse(value, Events.RECORD_MS, out), () -> parser.detail());
    assertNull(parser.reason());
    assertEqualsTree(STRICT.readTree(value));
  }

  /** Whatever is done to an event, the parser does not throw, and accepts strict JSON alone. */
  @Property(tries = 10_000)
  void damageIsRefusedOrHarmless(@ForAll Random random) throws IOException {
    byte[] value = damaged(event(random), random);
    if (parser.parse(value, Events.RECORD_MS, out)) {
      assertUtf8(value);
      JsonNode tree;
      try {
        tree = STRICT.readTree(value);
      } catch (NumberFormatException beyondBigDecimal) {
        return;
      }
      assertTrue(tree.isObject());
      assertEqualsTree(tree);
    } else {
      assertNotNull(parser.reason());
      assertNotNull(parser.detail());
    }
  }

  /** Whether names are looked after by the parser itself or by Jackson, the answer is the same. */
  @Property(tries = 10_000)
  void flatEventsAreReadAsOthersAre(@ForAll Random random) {
    EventParser other = new EventParser(Events.SCHEMA, "post", false);
    var unused = other.parse("{\"x\": {}}".getBytes(UTF_8), Events.RECORD_MS, Events.out());
    EventParser flat = new EventParser(Events.SCHEMA, "post", false);
    for (int i = 0; i < 3; i++) {
      byte[] value = damaged(repeated(event(random), random), random);
      assertAgree(other, flat, value);
    }
  }

  /** Whether an event is plain enough to be read without Jackson makes no difference. */
  @Property(tries = 20_000)
  void plainEventsAreReadAsJacksonReadsThem(@ForAll Random random) {
    EventParser jackson = new EventParser(Events.SCHEMA, "post", false);
    for (int i = 0; i < 4; i++) {
      String event = plain(random);
      byte[] value = random.nextInt(3) == 0 ? damaged(event, random) : event.getBytes(UTF_8);
      assertAgree(jackson, parser, value);
    }
  }

  private static void assertAgree(EventParser expected, EventParser parser, byte[] value) {
    Object[] expectedOut = Events.out();
    Object[] out = Events.out();
    boolean good = parser.parse(value, Events.RECORD_MS, out);
    assertEquals(expected.parse(value, Events.RECORD_MS, expectedOut), good);
    assertEquals(expected.reason(), parser.reason());
    assertEquals(expected.detail(), parser.detail());
    if (good) {
      assertArrayEquals(expectedOut, out);
      assertEquals(expected.eventTimeMs(), parser.eventTimeMs());
    }
  }

  /** Returns an event of columns and others in any order, of which few occur twice. */
  private static String plain(Random random) {
    List<String> fields = new ArrayList<>();
    fields.add("\"post\":" + (random.nextInt(9) == 0 ? "null" : "\"p" + random.nextInt() + '"'));
    fields.add("\"ts\" : " + random.nextLong(Events.RECORD_MS));
    for (SourceColumn column : Events.SCHEMA.columns().subList(2, Events.SCHEMA.columns().size())) {
      if (random.nextBoolean()) {
        fields.add('"' + column.name() + "\":" + scalar(column.type(), random));
      }
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      ColumnType type = ColumnType.values()[random.nextInt(ColumnType.values().length)];
      fields.add("\t\"x\u00e9" + random.nextInt(90) + "\":" + scalar(type, random));
    }
    Collections.shuffle(fields, random);
    return '{' + String.join(random.nextBoolean() ? "," : " ,\r\n", fields) + '}';
  }

  private static String scalar(ColumnType type, Random random) {
    if (random.nextInt(20) == 0) {
      return PIECES[random.nextInt(PIECES.length)];
    }
    String sign = random.nextInt(3) == 0 ? "-" : "";
    String whole = sign + (random.nextLong(Long.MAX_VALUE) >> random.nextInt(64));
    return switch (type) {
      case STRING -> "\"\u00e9" + random.nextInt(100) + '"';
      case BOOLEAN -> random.nextBoolean() ? "true" : "false";
      case TIMESTAMP ->
          random.nextBoolean() ? whole : "\"2024-02-" + random.nextInt(40) + "T07:08\"";
      case BIGINT, INT -> whole;
      case DOUBLE -> whole + '.' + (random.nextLong(Long.MAX_VALUE) >> random.nextInt(64));
      case DECIMAL -> sign + random.nextInt(1_100) + ".0" + random.nextInt(20_000);
    };
  }

  /** Adds fields at the end, some of them twice. */
  private static String repeated(String event, Random random) {
    StringBuilder text = new StringBuilder(event.substring(0, event.length() - 1));
    for (int i = random.nextInt(30); i > 0; i--) {
      text.append(",\"").append(random.nextInt(20) == 0 ? "ts" : "f" + random.nextInt(300));
      text.append("\":").append(random.nextInt(30) == 0 ? "[[1], {}]" : "1");
    }
    return text.append('}').toString();
  }

  private static byte[] damaged(String event, Random random) {
    StringBuilder text = new StringBuilder(event);
    for (int i = random.nextInt(3); i > 0; i--) {
      int at = random.nextInt(text.length() + 1);
      text.replace(
          at,
          Math.min(text.length(), at + random.nextInt(4)),
          PIECES[random.nextInt(PIECES.length)]);
    }
    byte[] value = text.toString().getBytes(UTF_8);
    for (int i = random.nextInt(3); i > 0 && value.length > 0; i--) {
      value[random.nextInt(value.length)] = (byte) random.nextInt();
    }
    return random.nextInt(5) == 0
        ? java.util.Arrays.copyOf(value, random.nextInt(value.length + 1))
        : value;
  }

  private static void assertUtf8(byte[] value) throws CharacterCodingException {
    assertTrue(UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).length() > 0);
  }

  private void assertEqualsTree(JsonNode tree) {
    for (int i = 0; i < out.length; i++) {
      SourceColumn column = Events.SCHEMA.columns().get(i);
      JsonNode node = tree.get(column.name());
      if (node == null || node.isNull()) {
        assertNull(out[i]);
        continue;
      }
      switch (column.type()) {
        case STRING -> assertArrayEquals(node.textValue().getBytes(UTF_8), (byte[]) out[i]);
        case BIGINT -> assertEquals(node.longValue(), out[i]);
        case TIMESTAMP -> {
          if (node.isNumber()) {
            assertEquals(node.longValue(), out[i]);
          }
        }
        case INT -> assertEquals(node.intValue(), out[i]);
        case DOUBLE -> assertEquals(Double.parseDouble(node.asText()) + 0.0, out[i]);
        case DECIMAL ->
            assertEquals(new BigDecimal(node.asText()).setScale(2, RoundingMode.HALF_UP), out[i]);
        case BOOLEAN -> assertEquals(node.booleanValue(), out[i]);
      }
    }
  }
}
