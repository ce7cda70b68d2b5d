package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.flink.table.functions.ScalarFunction;

/** {@code FP_SORTABLE(x)}: a DOUBLE as the integer that has the same order. */
public final class Sortable extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  /** Called by the SQL for each event. */
  public Long eval(Double value) {
    return value == null ? null : (Long) WholeNumbers.sortable(value);
  }
}
