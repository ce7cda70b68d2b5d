package io.featureplatform.kernel.store;

/**
 * Numbers the flushes of one subtask within its attempt, so that the number alone tells the label:
 * every label begins {@link #PER_LABEL} above the one before, or just above the last flush if that
 * had more. What {@link Attempt#labelAtMost} reads from it is then never too small.
 *
 * <p>Without this a row would say its writer's attempt alone, and every entity first met after a
 * restart would cost a second read, of its undo rows, to learn that nothing was undone.
 */
public final class FlushNumbers {
  /** Flush numbers that a label has for itself. */
  public static final long PER_LABEL = 1024;

  private final long firstLabel;
  private final long perLabel;
  private long last;

  /** Starts for an attempt with this first label. */
  public FlushNumbers(long firstLabel) {
    this(firstLabel, PER_LABEL);
  }

  /** As above, for tests of what goes wrong with other distances. */
  FlushNumbers(long firstLabel, long perLabel) {
    this.firstLabel = firstLabel;
    this.perLabel = perLabel;
  }

  /** Returns the number of the next flush, which is in this label; labels do not descend. */
  public long next(long label) {
    last = Math.max(last + 1, (label - firstLabel) * perLabel);
    return last;
  }
}
