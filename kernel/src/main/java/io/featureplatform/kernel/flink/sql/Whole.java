package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.WholeNumbers;
import org.apache.flink.table.functions.ScalarFunction;

/** Functions on BIGINT, each called by the SQL for each event: NULL where one leaves the range. */
public final class Whole {
  private Whole() {}

  /** {@code FP_HIGH(x)}. */
  public static final class High extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns how often 2^32 is in x. */
    public Long eval(Long value) {
      return value == null ? null : (Long) WholeNumbers.high(value);
    }
  }

  /** {@code FP_ADD(x, y)}. */
  public static final class Add extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns the sum. */
    public Long eval(Long left, Long right) {
      return left == null || right == null ? null : WholeNumbers.add(left, right);
    }
  }

  /** {@code FP_SUBTRACT(x, y)}. */
  public static final class Subtract extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns the difference. */
    public Long eval(Long left, Long right) {
      return left == null || right == null ? null : WholeNumbers.subtract(left, right);
    }
  }

  /** {@code FP_MULTIPLY(x, y)}. */
  public static final class Multiply extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns the product. */
    public Long eval(Long left, Long right) {
      return left == null || right == null ? null : WholeNumbers.multiply(left, right);
    }
  }

  /** {@code FP_NEGATE(x)}. */
  public static final class Negate extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns x with the other sign. */
    public Long eval(Long value) {
      return value == null ? null : WholeNumbers.negate(value);
    }
  }

  /** {@code FP_ABS(x)}. */
  public static final class Abs extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns x without its sign. */
    public Long eval(Long value) {
      return value == null ? null : WholeNumbers.abs(value);
    }
  }
}
