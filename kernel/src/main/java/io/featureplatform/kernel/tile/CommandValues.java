package io.featureplatform.kernel.tile;

/** The partials of one command, addressed by the index of a column in the layout. */
public interface CommandValues {
  /** Returns whether the column is NULL: nothing to add or merge. */
  boolean isNull(int column);

  /** Returns the partial of COUNT, SUM, MIN or MAX. */
  long int64(int column);

  /** Returns the partial of FIRST, LAST or LAST_N as {@code FeatureValue} bytes. */
  byte[] bytes(int column);
}
