package io.featureplatform.kernel.store;

/** A point in the history of a generation's writers: what an attempt had done by one barrier. */
public record Epoch(int attempt, long label) {
  /** Where every history begins: the empty table. */
  public static final Epoch GENESIS = new Epoch(0, 0);

  /** The label of an attempt that counts as far as it goes. */
  public static final long NO_END = Long.MAX_VALUE;

  @Override
  public String toString() {
    return "attempt " + attempt + " at checkpoint " + label;
  }
}
