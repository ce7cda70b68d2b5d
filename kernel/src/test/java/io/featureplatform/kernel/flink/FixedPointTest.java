package io.featureplatform.kernel.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class FixedPointTest {
  /** Any double gives what exact decimal arithmetic gives. */
  @Property
  void equalsExactArithmetic(
      @ForAll long bits, @ForAll @IntRange(max = FixedPoint.SCALE_MAX) int scale) {
    double value = Double.longBitsToDouble(bits);
    assertEquals(exact(value, scale), FixedPoint.of(value, scale));
  }

  /** So do doubles of everyday size, and those next to a tie. */
  @Property
  void equalsExactArithmeticNearTies(
      @ForAll @IntRange(min = -2_000_000, max = 2_000_000) int halves,
      @ForAll @IntRange(max = FixedPoint.SCALE_MAX) int scale) {
    double tie = halves / 2.0 / Math.pow(10, scale);
    for (double value : new double[] {Math.nextDown(tie), tie, Math.nextUp(tie)}) {
      assertEquals(exact(value, scale), FixedPoint.of(value, scale));
    }
  }

  /** The literal 0.145 is a little less than its text says, and is rounded as what it is. */
  @Test
  void roundsTheExactValue() {
    assertEquals(14, FixedPoint.of(0.145, 2));
    assertEquals(13, FixedPoint.of(0.125, 2));
    assertEquals(-13, FixedPoint.of(-0.125, 2));
  }

  /** A decimal is rounded half up, away from zero. */
  @Test
  void decimals() {
    assertEquals(13, FixedPoint.of(new BigDecimal("0.125"), 2));
    assertEquals(-13, FixedPoint.of(new BigDecimal("-0.125"), 2));
    assertEquals(125_000_000_000_000_000L, FixedPoint.of(new BigDecimal("0.125"), 18));
  }

  /** What does not fit a BIGINT is NULL. */
  @Test
  void outOfRangeIsNull() {
    assertNull(FixedPoint.of(Double.NaN, 2));
    assertNull(FixedPoint.of(Double.NEGATIVE_INFINITY, 2));
    assertNull(FixedPoint.of(1e17, 2));
    assertNull(FixedPoint.of(new BigDecimal("92233720368547758.08"), 2));
    assertEquals(Long.MIN_VALUE, FixedPoint.of(new BigDecimal("-92233720368547758.08"), 2));
  }

  private static Long exact(double value, int scale) {
    if (!Double.isFinite(value)) {
      return null;
    }
    BigInteger unscaled =
        new BigDecimal(value).setScale(scale, RoundingMode.HALF_UP).unscaledValue();
    return unscaled.bitLength() < Long.SIZE ? (Long) unscaled.longValue() : null;
  }
}
