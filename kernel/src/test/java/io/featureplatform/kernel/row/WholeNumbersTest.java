package io.featureplatform.kernel.row;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class WholeNumbersTest {
  /** Any double gives what exact decimal arithmetic gives. */
  @Property
  void equalsExactArithmetic(
      @ForAll long bits, @ForAll @IntRange(max = WholeNumbers.SCALE_MAX) int scale) {
    double value = Double.longBitsToDouble(bits);
    assertEquals(exact(value, scale), WholeNumbers.fixed(value, scale));
  }

  /** So do doubles of everyday size, and those next to a tie. */
  @Property
  void equalsExactArithmeticNearTies(
      @ForAll @IntRange(min = -2_000_000, max = 2_000_000) int halves,
      @ForAll @IntRange(max = WholeNumbers.SCALE_MAX) int scale) {
    double tie = halves / 2.0 / Math.pow(10, scale);
    for (double value : new double[] {Math.nextDown(tie), tie, Math.nextUp(tie)}) {
      assertEquals(exact(value, scale), WholeNumbers.fixed(value, scale));
    }
  }

  /** The literal 0.145 is a little less than its text says, and is rounded as what it is. */
  @Test
  void roundsTheExactValue() {
    assertEquals(14, WholeNumbers.fixed(0.145, 2));
    assertEquals(13, WholeNumbers.fixed(0.125, 2));
    assertEquals(-13, WholeNumbers.fixed(-0.125, 2));
  }

  /** A decimal is rounded half up, away from zero. */
  @Test
  void decimals() {
    assertEquals(13, WholeNumbers.fixed(new BigDecimal("0.125"), 2));
    assertEquals(-13, WholeNumbers.fixed(new BigDecimal("-0.125"), 2));
    assertEquals(125_000_000_000_000_000L, WholeNumbers.fixed(new BigDecimal("0.125"), 18));
  }

  /** What does not fit a BIGINT is NULL. */
  @Test
  void outOfRangeIsNull() {
    assertNull(WholeNumbers.fixed(Double.NaN, 2));
    assertNull(WholeNumbers.fixed(Double.NEGATIVE_INFINITY, 2));
    assertNull(WholeNumbers.fixed(1e17, 2));
    assertNull(WholeNumbers.fixed(new BigDecimal("92233720368547758.08"), 2));
    assertEquals(Long.MIN_VALUE, WholeNumbers.fixed(new BigDecimal("-92233720368547758.08"), 2));
  }

  /** Two doubles stand in the same order as their integers. */
  @Property
  void keepsOrder(@ForAll double left, @ForAll double right) {
    assertEquals(
        Integer.signum(Double.compare(left + 0.0, right + 0.0)),
        Integer.signum(Long.compare(WholeNumbers.sortable(left), WholeNumbers.sortable(right))));
  }

  /** The two zeros are one. */
  @Test
  void zerosAreEqual() {
    assertEquals(WholeNumbers.sortable(0.0), WholeNumbers.sortable(-0.0));
    assertEquals(0, WholeNumbers.sortable(0.0));
  }

  /** What is a number stays the same; what is none is null, and no zero has a sign. */
  @Property
  void finiteNumbersStay(@ForAll double value) {
    Double found = WholeNumbers.finite(value);
    assertEquals(Double.isFinite(value) ? (Double) (value + 0.0) : null, found);
    assertNull(WholeNumbers.finite(Double.NaN));
    assertNull(WholeNumbers.finite(1e308 * 10));
    assertNull(WholeNumbers.finite(-1e308 * 10));
    assertEquals(Double.valueOf(0.0), WholeNumbers.finite(-0.0));
  }

  /** Whatever leaves the range is null; all else is exact. */
  @Property
  void staysInRange(@ForAll("edges") long left, @ForAll("edges") long right) {
    BigInteger one = BigInteger.valueOf(left);
    BigInteger other = BigInteger.valueOf(right);
    assertEquals(held(one.add(other)), WholeNumbers.add(left, right));
    assertEquals(held(one.subtract(other)), WholeNumbers.subtract(left, right));
    assertEquals(held(one.multiply(other)), WholeNumbers.multiply(left, right));
    assertEquals(held(one.negate()), WholeNumbers.negate(left));
    assertEquals(held(one.abs()), WholeNumbers.abs(left));
  }

  /** What is left beside the high half fits an INT, so that four billion of them fit a BIGINT. */
  @Property
  void splitsInHalves(@ForAll("edges") long value) {
    BigInteger high = BigInteger.valueOf(WholeNumbers.high(value)).shiftLeft(32);
    BigInteger low = BigInteger.valueOf(value).subtract(high);
    assertEquals(low.intValueExact(), (int) value);
    assertEquals(0, WholeNumbers.high((int) value));
  }

  @Provide
  Arbitrary<Long> edges() {
    Arbitrary<Long> near =
        Arbitraries.of(0L, 1L << 31, 1L << 32, 1L << 62, Long.MAX_VALUE, 3_037_000_500L)
            .flatMap(edge -> Arbitraries.longs().between(-2, 2).map(off -> edge + off));
    return Arbitraries.oneOf(near, near.map(value -> -value), Arbitraries.longs());
  }

  private static Long held(BigInteger value) {
    return value.bitLength() < Long.SIZE ? (Long) value.longValue() : null;
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
