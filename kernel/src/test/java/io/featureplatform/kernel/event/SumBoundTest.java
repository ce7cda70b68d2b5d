package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.row.WholeNumbers;
import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a feature set sums as it is can be summed, or the event is a dead letter. */
class SumBoundTest {
  private static final String SOURCE =
      "{'name': 's', 'topic': 's', 'event_time': 'ts', 'max_future_ms': 0, 'columns': ["
          + "{'name': 'id', 'type': 'BIGINT'}, {'name': 'ts', 'type': 'TIMESTAMP'},"
          + "{'name': 'd', 'type': 'DOUBLE'},"
          + "{'name': 'p', 'type': 'DECIMAL', 'precision': 18, 'scale': 2}],"
          + "'sum_scales': {'d': %d, 'p': %d}}";

  private static EventParser parser(int scale) {
    String json = SOURCE.replace('\'', '"').formatted(scale, scale);
    return new EventParser(SourceSchema.fromJson(json), "id");
  }

  private static boolean takes(EventParser parser, String column, String value) {
    String event = "{\"id\": 1, \"ts\": 5, \"%s\": %s}".formatted(column, value);
    return parser.parse(event.getBytes(UTF_8), 5, new Object[4]);
  }

  /** Up to the bound it counts, in both readers; beyond it the letter says which column and why. */
  @ParameterizedTest
  @CsvSource({
    "9, d, 9.2e9, true",
    "9, d, -9.2e9, true",
    "9, d, 9.3e9, false",
    "9, d, 10000000000, false",
    "9, d, -1e10, false",
    "0, d, 9223372036854774784, true",
    "0, d, 9223372036854775808, false",
    "0, d, 1e308, false",
    "9, d, null, true",
    "9, p, 9223372036.85, true",
    "9, p, 9223372036.86, false",
    "9, p, -9223372036.86, false",
    "9, p, 9999999999999999.99, false",
    "2, p, 9999999999999999.99, true",
    "9, p, 0, true",
  })
  void refusesWhatNoSumCanHold(int scale, String column, String value, boolean expected) {
    EventParser parser = parser(scale);
    assertEquals(expected, takes(parser, column, value));
    if (!expected) {
      assertEquals(Reason.BEYOND_SUM, parser.reason());
      assertTrue(parser.detail().startsWith("column " + column + " "), parser.detail());
      assertTrue(
          parser.detail().contains("scale" + " " + scale + " accepts values up to 922"),
          parser.detail());
      assertTrue(parser.reason().isOfFeatureSet());
      assertFalse(parser.reason().isOfEntity());
    }
  }

  /** The bound is that of {@code FP_FIXED}, to the last double and the last digit. */
  @Test
  void agreesWithTheSum() {
    for (int scale = 0; scale <= WholeNumbers.SCALE_MAX; scale++) {
      SumBound bound = new SumBound(0, scale);
      double edge = Math.scalb(1.0, 63) / Math.pow(10, scale);
      double value = edge - 40 * Math.ulp(edge);
      for (int i = 0; i < 80; i++) {
        assertEquals(WholeNumbers.fixed(value, scale) != null, bound.takes(value));
        assertEquals(WholeNumbers.fixed(-value, scale) != null, bound.takes(-value));
        value = Math.nextUp(value);
      }
      for (long off = -3; off <= 3; off++) {
        BigDecimal exact =
            BigDecimal.valueOf(Long.MAX_VALUE, scale).add(BigDecimal.valueOf(off, scale));
        assertEquals(off <= 0, bound.takes(exact));
      }
    }
  }
}
