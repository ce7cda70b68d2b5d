package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.InputGroup;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * {@code FP_FIXED(x, scale)}: a DOUBLE or DECIMAL as an integer with this number of digits after
 * the point, rounded half up from its exact value. What does not fit a BIGINT is NULL.
 */
public final class FixedPoint extends ScalarFunction {
  private static final long serialVersionUID = 1L;

  private transient boolean known;
  private transient long bits;
  private transient int digits;
  private transient Long fixed;

  /**
   * Called by the SQL for each event, and several times in a row for the same value: by a sum, its
   * high halves and its count.
   */
  public Long eval(@DataTypeHint(inputGroup = InputGroup.ANY) Object value, Integer scale) {
    if (!(value instanceof Double real)) {
      return value == null ? null : WholeNumbers.fixed(value, scale);
    }
    long newBits = Double.doubleToRawLongBits(real);
    if (!known || newBits != bits || digits != scale) {
      known = true;
      bits = newBits;
      digits = scale;
      fixed = WholeNumbers.fixed((double) real, digits);
    }
    return fixed;
  }
}
