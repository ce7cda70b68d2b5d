package io.featureplatform.kernel.event;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class IsoTimeTest {
  private static final long MAX_SECOND = 253_402_300_799L - 86_400;

  private static long parse(String text) {
    return IsoTime.parse(("xx" + text + "yy").toCharArray(), 2, text.length());
  }

  /** Every instant of the years 1 to 9999 is read back in any zone, cut to the millisecond. */
  @Property
  void readsWhatJavaWrites(
      @ForAll @LongRange(min = -62_135_596_800L + 86_400, max = MAX_SECOND) long second,
      @ForAll @IntRange(min = 0, max = 999_999_999) int nano,
      @ForAll @IntRange(min = -17 * 60, max = 17 * 60) int offsetMinutes) {
    OffsetDateTime time =
        Instant.ofEpochSecond(second, nano).atOffset(ZoneOffset.ofTotalSeconds(offsetMinutes * 60));
    long expected = time.toInstant().truncatedTo(ChronoUnit.MILLIS).toEpochMilli();
    assertEquals(expected, parse(time.toString()));
    assertEquals(expected, parse(time.toString().replace('T', ' ')));
  }

  /** No zone is UTC; seconds, fraction and the offset's minutes and colon may be left out. */
  @Test
  void shortFormsAreRead() {
    long minute = Instant.parse("2024-02-29T23:59:00Z").toEpochMilli();
    assertEquals(minute, parse("2024-02-29T23:59"));
    assertEquals(minute, parse("2024-02-29t23:59z"));
    assertEquals(minute + 7_100, parse("2024-02-29 23:59:07.1"));
    assertEquals(minute + 7_120, parse("2024-02-29 23:59:07,12Z"));
    assertEquals(minute - 3_600_000, parse("2024-02-29T23:59+01"));
    assertEquals(minute + 19_800_000, parse("2024-02-29T23:59-0530"));
  }

  /** What is no instant, or more than one reading has, is refused. */
  @Test
  void otherTextsAreRefused() {
    List<String> texts =
        List.of(
            "",
            "2024",
            "2024-02-29",
            "2023-02-29T00:00Z",
            "2024-13-01T00:00Z",
            "2024-00-01T00:00Z",
            "2024-01-00T00:00Z",
            "2024-01-01T24:00Z",
            "2024-01-01T00:60Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890Z",
            "2024-01-01T00:00ZZ",
            "2024-01-01T00:00+",
            "2024-01-01T00:00+24:00",
            "2024-01-01T00:00+01:",
            "2024-1-1T00:00Z",
            "24-01-01T00:00Z",
            "2024-01-01X00:00Z",
            "2024-01-01T0000Z",
            "+2024-01-01T00:00Z",
            "1714977600000",
            "２０２４-01-01T00:00Z");
    for (String text : texts) {
      assertEquals(IsoTime.NONE, parse(text), text);
    }
  }
}
