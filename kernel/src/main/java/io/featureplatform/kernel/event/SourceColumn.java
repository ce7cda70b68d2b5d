package io.featureplatform.kernel.event;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.RoundingMode;

/**
 * One declared column of a source.
 *
 * @param precision digits of a DECIMAL, at most 18; 0 for the others
 * @param scale digits of a DECIMAL after the point; 0 for the others
 */
public record SourceColumn(String name, ColumnType type, int precision, int scale)
    implements Serializable {
  /** Returns a number as this DECIMAL holds it, rounded half up; null if it does not fit. */
  BigDecimal fit(BigDecimal value) {
    long integerDigits = (long) value.precision() - value.scale();
    if (integerDigits < -scale || value.signum() == 0) {
      return BigDecimal.valueOf(0, scale);
    }
    if (integerDigits > precision - scale) {
      return null;
    }
    BigDecimal rounded = value.setScale(scale, RoundingMode.HALF_UP);
    return rounded.precision() > precision ? null : rounded;
  }
}
