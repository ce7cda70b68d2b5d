package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.row.Texts;
import org.apache.flink.table.functions.ScalarFunction;

/** Functions on STRING, each called by the SQL for each event. */
public final class TextFunctions {
  private TextFunctions() {}

  /** {@code FP_UPPER(x)}. */
  public static final class Upper extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns x in capitals. */
    public String eval(String text) {
      return text == null ? null : Texts.upper(text);
    }
  }

  /** {@code FP_LOWER(x)}. */
  public static final class Lower extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns x in small letters. */
    public String eval(String text) {
      return text == null ? null : Texts.lower(text);
    }
  }

  /** {@code FP_COMPARE(x, y)}. */
  public static final class Compare extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    /** Returns below, at or above 0 as x comes before, with or after y. */
    public Integer eval(String left, String right) {
      return left == null || right == null ? null : (Integer) Texts.compare(left, right);
    }
  }
}
