package io.featureplatform.kernel.event;

import com.fasterxml.jackson.databind.JsonNode;
import io.featureplatform.kernel.row.WholeNumbers;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * How large a value of a column may be that a feature set sums as it is: what {@code FP_FIXED} at
 * the sum's scale still has an int64 for.
 *
 * @param column index of the column in the source
 * @param scale digits after the point that the sum keeps; of several sums the most
 */
public record SumBound(int column, int scale) implements Serializable {
  private static final int DIGITS_SAFE = 18;
  private static final double SAFE = 9e18;
  private static final double[] POWERS = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

  /** Reads {@code sum_scales} of a source: scales by name of a column. */
  static List<SumBound> fromJson(JsonNode scales, List<SourceColumn> columns) {
    List<SumBound> bounds = new ArrayList<>();
    for (Iterator<Map.Entry<String, JsonNode>> each = scales.fields(); each.hasNext(); ) {
      Map.Entry<String, JsonNode> entry = each.next();
      for (int i = 0; i < columns.size(); i++) {
        if (columns.get(i).name().equals(entry.getKey())) {
          bounds.add(new SumBound(i, entry.getValue().intValue()));
        }
      }
    }
    return bounds;
  }

  /** Returns whether a value, or null, can be summed. Hot path. */
  boolean takes(Object value) {
    if (value instanceof Double real) {
      return Math.abs(real) * POWERS[scale] < SAFE
          || WholeNumbers.fixed((double) real, scale) != null;
    }
    return !(value instanceof BigDecimal decimal)
        || decimal.precision() - decimal.scale() + scale <= DIGITS_SAFE
        || WholeNumbers.fixed(decimal, scale) != null;
  }

  /** Returns for a person what a value must be below. */
  String words() {
    return BigDecimal.valueOf(Long.MAX_VALUE, scale).toPlainString();
  }
}
