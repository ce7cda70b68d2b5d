package io.featureplatform.kernel.event;

/** SQL types of a source's columns, and the Java class that an event gives for each. */
public enum ColumnType {
  /** {@link Long}. */
  BIGINT,
  /** {@link Integer}. */
  INT,
  /** {@link Double}; finite, and never negative zero. */
  DOUBLE,
  /** {@link java.math.BigDecimal} of exactly the column's scale. */
  DECIMAL,
  /** {@code byte[]} of UTF-8 without NUL. */
  STRING,
  /** {@link Boolean}. */
  BOOLEAN,
  /** {@link Long}: epoch milliseconds, UTC. */
  TIMESTAMP
}
