package io.featureplatform.kernel.row;

/** The form in which a feature's values are stored, whatever their SQL type. */
public enum Carrier {
  /** BIGINT, INT, BOOLEAN (0, 1), TIMESTAMP (epoch milliseconds), DECIMAL (unscaled): an int64. */
  INT,
  /** DOUBLE. */
  REAL,
  /** STRING, as UTF-8. */
  TEXT
}
