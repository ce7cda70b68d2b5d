package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlainReaderTest {
  private final PlainReader reader =
      new PlainReader(
          Events.SCHEMA.columns().toArray(SourceColumn[]::new),
          Events.SCHEMA.indexOf("ts"),
          Events.SCHEMA.eventTimeUnit());
  private Object[] out;

  private boolean read(String json) {
    out = Events.out();
    return reader.read(json.replace('\'', '"').getBytes(UTF_8), out);
  }

  /** Every type is read, in any order, between names that are no columns and space. */
  @Test
  void readsPlainEvents() {
    assertTrue(
        read(
            " {'x': 'y', 'ts':'2023-11-14T22:13:20Z','post' :'\u00c4', 'watch_ms': -7, 'z': null,\n"
                + "'rank': 0, 'score': 1.5,\t'price': 1.005, 'liked': true, 'seen': 3}\r\n"));
    assertEquals("\u00c4", new String((byte[]) out[0], UTF_8));
    Object[] expected = {1_700_000_000_000L, -7L, 0, 1.5, new BigDecimal("1.01"), true, 3L};
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], out[i + 1]);
    }
    assertTrue(read("{'liked': false, 'score': 7}"));
    assertEquals(7.0, out[4]);
    assertTrue(read("{}"));
  }

  /** A quotient is the nearest DOUBLE, and never negative zero. */
  @ParameterizedTest
  @CsvSource({
    "0.1",
    "-123456.789",
    "9007199254740.992",
    "0.000000000000001",
    "-0.0",
    "123456789012345678",
  })
  void readsTheNearestDouble(String number) {
    assertTrue(read("{'score': " + number + "}"));
    assertEquals(Double.parseDouble(number) + 0.0, out[4]);
  }

  /** What is not plain, or is bad, is Jackson's. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "[]",
        "{",
        "{'post'",
        "{'post':",
        "{'post':'",
        "{'post':'p'",
        "{'post':'p',}",
        "{'post':'p'}}",
        "{'post':'p'} 1",
        "{'post':'p','post':'p'}",
        "{'other':1,'other':1}",
        "{'post':'\\n'}",
        "{'po\\u0073t':'p'}",
        "{'post':'\n'}",
        "{'post':1}",
        "{'post':p}",
        "{post:'p'}",
        "{'x':{}}",
        "{'x':[]}",
        "{'x':01}",
        "{'x':-}",
        "{'x':1.}",
        "{'x':.5}",
        "{'x':1e5}",
        "{'x':+1}",
        "{'x':nul}",
        "{'x':nullx}",
        "{'x':1234567890123456789}",
        "{'x':1.234567890123456789}",
        "{'watch_ms':1.5}",
        "{'watch_ms':9007199254740992.0}",
        "{'watch_ms':true}",
        "{'rank':2147483648}",
        "{'score':9007199254740993.1}",
        "{'score':0.30000000000000004}",
        "{'score':'1'}",
        "{'price':1000}",
        "{'liked':2}",
        "{'liked':1.0}",
        "{'liked':'true'}",
        "{'seen':'noon'}",
        "{'seen':true}",
      })
  void leavesOthers(String json) {
    assertFalse(read(json), json);
  }

  /** When as many names are known as fit, others are Jackson's; known ones are read as before. */
  @Test
  void knowsSoManyNames() {
    int room = PlainReader.NAMES_MAX - Events.SCHEMA.columns().size();
    for (int i = 0; i < room; i++) {
      assertTrue(read("{'n" + i + "': 1}"));
    }
    assertFalse(read("{'one_more': 1}"));
    assertTrue(read("{'n0': 1, 'post': 'p', 'n5': 2}"));
  }
}
