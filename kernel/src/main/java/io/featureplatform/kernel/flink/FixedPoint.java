package io.featureplatform.kernel.flink;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.InputGroup;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code FP_FIXED(x, scale)}: a DOUBLE or DECIMAL as an integer of so many digits after the point,
 * rounded half up from its exact value. What does not fit a BIGINT is NULL, and counted.
 */
public final class FixedPoint extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  /** Digits after the point that a feature may state. */
  static final int SCALE_MAX = 9;

  private static final double EXACT_MAX = 1L << 52;
  private static final double[] POWERS = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

  private transient Counter outOfRange;

  @Override
  public void open(FunctionContext context) {
    outOfRange = context.getMetricGroup().counter("fixed_out_of_range");
  }

  /** Called by the SQL for each event. */
  public Long eval(@DataTypeHint(inputGroup = InputGroup.ANY) Object value, Integer scale) {
    if (value == null) {
      return null;
    }
    Long fixed = value instanceof Double real ? of(real, scale) : of((BigDecimal) value, scale);
    if (fixed == null) {
      outOfRange.inc();
    }
    return fixed;
  }

  /** Returns the exact binary value of a double in fixed point, or null if it does not fit. */
  static Long of(double value, int scale) {
    double power = POWERS[scale];
    double magnitude = Math.abs(value);
    double product = magnitude * power;
    if (!(product < EXACT_MAX)) {
      return Double.isFinite(value) ? of(new BigDecimal(value), scale) : null;
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
  static Long of(BigDecimal value, int scale) {
    BigInteger unscaled = value.setScale(scale, RoundingMode.HALF_UP).unscaledValue();
    return unscaled.bitLength() < Long.SIZE ? (Long) unscaled.longValue() : null;
  }
}
