package io.featureplatform.kernel.store;

/**
 * One start of a writer, kept in the registry for ever.
 *
 * @param number orders the writes of a generation: larger wins
 * @param execution the run of the job it was given to; all its subtasks share it
 * @param deployment who asked
 * @param kind what wrote: {@link #STREAM} for a Flink job, else {@code sweep}, {@code backfill} or
 *     {@code repair}
 * @param start the epoch it starts from (R)
 * @param endOffsets the topic's ends when it started
 * @param claimedMs when
 * @param baseLabel the id of the restored checkpoint, 0 if none: the first label is one more; or
 *     {@link #BASE_UNKNOWN}
 * @param dirtySinceMs since when rows of dead attempts may be around at {@code start}
 * @param clean whether {@code start} is the last thing its predecessor did
 */
public record Attempt(
    int number,
    String execution,
    String deployment,
    String kind,
    Epoch start,
    Offsets endOffsets,
    long claimedMs,
    long baseLabel,
    long dirtySinceMs,
    boolean clean) {
  /** The kind of a Flink job's attempt. */
  public static final String STREAM = "stream";

  /** The attempt was recorded by a version that did not number flushes by label. */
  public static final long BASE_UNKNOWN = -1;

  /** Tells whether nothing was written before this attempt. */
  public boolean isFirst() {
    return number == 1 && start.equals(Epoch.GENESIS);
  }

  /**
   * Tells whether the attempt, at these positions, has touched again all that a dead one can have
   * touched.
   */
  public boolean recoveredAt(Offsets positions) {
    return isFirst() || positions.reach(endOffsets);
  }

  /** Returns the first label of the attempt. */
  public long firstLabel() {
    return baseLabel + 1;
  }

  /** Returns the largest label that a flush of this number can have had. */
  public long labelAtMost(long flush) {
    return baseLabel == BASE_UNKNOWN ? Epoch.NO_END : firstLabel() + flush / FlushNumbers.PER_LABEL;
  }
}
