package io.featureplatform.kernel.store;

/** A point in the history of a generation's writers: what an attempt had done by one barrier. */
public record Epoch(int attempt, long checkpointId) {
  /** Where every history begins: the empty table. */
  public static final Epoch GENESIS = new Epoch(0, 0);

  /** Instead of a checkpoint id: all that an attempt has written. */
  public static final long NO_END = Long.MAX_VALUE;

  @Override
  public String toString() {
    return "attempt " + attempt + " at checkpoint " + checkpointId;
  }
}
