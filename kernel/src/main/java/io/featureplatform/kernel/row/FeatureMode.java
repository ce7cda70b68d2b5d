package io.featureplatform.kernel.row;

/** Which items of all those seen a {@code FeatureValue} keeps. */
public enum FeatureMode {
  /** The one smallest by (time, partition, offset). */
  FIRST,
  /** The one greatest by (time, partition, offset). */
  LAST,
  /** The n greatest by (time, partition, offset), newest first. */
  LAST_N
}
