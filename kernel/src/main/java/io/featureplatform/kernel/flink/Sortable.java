package io.featureplatform.kernel.flink;

import org.apache.flink.table.functions.ScalarFunction;

/** {@code FP_SORTABLE(x)}: a DOUBLE as the integer that stands in the same order. */
public final class Sortable extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  /** Called by the SQL for each event. */
  public Long eval(Double value) {
    return value == null ? null : (Long) of(value);
  }

  static long of(double value) {
    long bits = Double.doubleToLongBits(value + 0.0); // Negative zero becomes zero.
    return bits >= 0 ? bits : bits ^ Long.MAX_VALUE;
  }
}
