package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.InputGroup;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code FP_FIXED(x, scale)}: a DOUBLE or DECIMAL as an integer of so many digits after the point,
 * rounded half up from its exact value. What does not fit a BIGINT is NULL.
 */
public final class FixedPoint extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  /** Called by the SQL for each event. */
  public Long eval(@DataTypeHint(inputGroup = InputGroup.ANY) Object value, Integer scale) {
    return value == null ? null : WholeNumbers.fixed(value, scale);
  }
}
