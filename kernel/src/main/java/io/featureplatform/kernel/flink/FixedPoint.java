package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.row.WholeNumbers;
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
    Long fixed = WholeNumbers.fixed(value, scale);
    if (fixed == null) {
      outOfRange.inc();
    }
    return fixed;
  }
}
