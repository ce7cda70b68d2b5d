package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.flink.table.functions.ScalarFunction;

/** {@code FP_FINITE(x)}: what arithmetic on DOUBLE gives, or null where it leaves the range. */
public final class Finite extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  /** Called by the SQL for each event. */
  public Double eval(Double value) {
    return value == null ? null : WholeNumbers.finite(value);
  }
}
