package io.featureplatform.kernel.row;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/**
 * The int64 that is kept of a DOUBLE or DECIMAL, and arithmetic that stays in range; {@code
 * FP_FIXED}, {@code FP_SORTABLE}, {@code FP_FINITE}, {@code FP_HIGH}, {@code FP_ADD} and its like.
 */
public final class WholeNumbers {
  /** Digits after the point that a feature may state. */
  public static final int SCALE_MAX = 9;

  private static final double EXACT_MAX = 1L << 52;
  private static final double[] POWERS = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

  private WholeNumbers() {}

  /**
   * Returns a double or decimal as an integer with this number of digits after the point, rounded
   * half up from its exact value, or null if it does not fit; hot path.
   *
   * @param value a {@link Double} or {@link BigDecimal}
   */
  public static Long fixed(Object value, int scale) {
    return value instanceof Double real
        ? fixed((double) real, scale)
        : fixed((BigDecimal) value, scale);
  }

  /** Returns the exact binary value of a double in fixed point, or null if it does not fit. */
  public static Long fixed(double value, int scale) {
    double power = POWERS[scale];
    double magnitude = Math.abs(value);
    double product = magnitude * power;
    if (!(product < EXACT_MAX)) {
      return Double.isFinite(value) ? fixed(new BigDecimal(value), scale) : null;
    }
    // The exact product is product + error; above 2^-1000 both are doubles.
    double error = Math.fma(magnitude, power, -product);
    double floor = Math.floor(product);
    double aboveHalf = product - floor - 0.5;
    long rounded = (long) floor;
    if (aboveHalf > 0 || (aboveHalf == 0 && error >= 0)) {
      rounded++;
    }
    return value < 0 ? -rounded : rounded;
  }

  /** Returns a decimal in fixed point, or null if it does not fit. */
  public static Long fixed(BigDecimal value, int scale) {
    BigInteger unscaled = value.setScale(scale, RoundingMode.HALF_UP).unscaledValue();
    return unscaled.bitLength() < Long.SIZE ? (Long) unscaled.longValue() : null;
  }

  /** Returns how often 2^32 is in a number, to the nearest: what a sum of int64 needs beside it. */
  public static long high(long value) {
    return (value >> 32) + (value >> 31 & 1);
  }

  /** Returns a sum, or null if it leaves the range. */
  public static Long add(long left, long right) {
    long sum = left + right;
    return ((left ^ sum) & (right ^ sum)) < 0 ? null : (Long) sum;
  }

  /** Returns a difference, or null if it leaves the range. */
  public static Long subtract(long left, long right) {
    long difference = left - right;
    return ((left ^ right) & (left ^ difference)) < 0 ? null : (Long) difference;
  }

  /** Returns a product, or null if it leaves the range. */
  public static Long multiply(long left, long right) {
    long product = left * right;
    return Math.multiplyHigh(left, right) == product >> 63 ? (Long) product : null;
  }

  /** Returns a number with the other sign, or null if it leaves the range. */
  public static Long negate(long value) {
    return value == Long.MIN_VALUE ? null : (Long) (-value);
  }

  /** Returns a number without its sign, or null if it leaves the range. */
  public static Long abs(long value) {
    return value == Long.MIN_VALUE ? null : (Long) Math.abs(value);
  }

  /** Returns the integer that has the same order as the double. */
  public static long sortable(double value) {
    long bits = Double.doubleToLongBits(value + 0.0); // Negative zero becomes zero.
    return bits >= 0 ? bits : bits ^ Long.MAX_VALUE;
  }

  /**
   * Returns a double as the parser would have read it: null if it is not finite, and zero without a
   * sign. Engines compare everything else alike.
   */
  public static Double finite(double value) {
    return Double.isFinite(value) ? (Double) (value + 0.0) : null;
  }
}
