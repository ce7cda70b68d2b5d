package io.featureplatform.kernel.row;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TextLimitTest {
  private static String kept(String text) {
    FeatureAccumulator items = new FeatureAccumulator(FeatureMode.LAST, 0);
    items.addText(text.getBytes(UTF_8), 1, 0, 0);
    return new String(FeatureItems.decode(items.toBytes()).texts()[0], UTF_8);
  }

  /** Of a long text the whole characters of its first 4,096 bytes are kept. */
  @Test
  void longTextsAreCut() {
    String full = "a".repeat(FeatureAccumulator.TEXT_BYTES_MAX);
    assertEquals(full, kept(full));
    assertEquals(full, kept(full + "b"));
    for (String character : new String[] {"é", "€", "😀"}) {
      int bytes = character.getBytes(UTF_8).length;
      String fits = "a".repeat(FeatureAccumulator.TEXT_BYTES_MAX - bytes) + character;
      assertEquals(fits, kept(fits + character));
      for (int missing = 1; missing < bytes; missing++) {
        String before = "a".repeat(FeatureAccumulator.TEXT_BYTES_MAX - missing);
        assertEquals(before, kept(before + character));
      }
    }
  }

  /** The cut depends on a text alone: any order and grouping gives the same bytes. */
  @Test
  void cutTextsMergeInAnyOrder() {
    byte[] huge = "é".repeat(100_000).getBytes(UTF_8);
    FeatureAccumulator together = new FeatureAccumulator(FeatureMode.LAST_N, 2);
    FeatureAccumulator left = new FeatureAccumulator(FeatureMode.LAST_N, 2);
    FeatureAccumulator right = new FeatureAccumulator(FeatureMode.LAST_N, 2);
    for (int i = 0; i < 3; i++) {
      together.addText(huge, i, 0, i);
      (i == 1 ? left : right).addText(huge, i, 0, i);
    }
    left.merge(right.toBytes());
    assertArrayEquals(together.toBytes(), left.toBytes());
  }
}
