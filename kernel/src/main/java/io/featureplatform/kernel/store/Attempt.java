package io.featureplatform.kernel.store;

/**
 * One start of a writer, kept in the registry permanently.
 *
 * @param number orders the writes of a generation: larger wins
 * @param execution the run of the job it was given to; all its subtasks share it
 * @param deployment who asked
 * @param kind what wrote: {@link #STREAM} for a Flink job, else {@code sweep}, {@code backfill} or
 *     {@code repair}
 * @param start the epoch it starts from: its restore point
 * @param endOffsets the topic's ends when it started
 * @param claimedMs when
 * @param baseCheckpointId the id of the restored checkpoint, 0 if none: its own first one is one
 *     more; or {@link #BASE_UNKNOWN}
 * @param dirtySinceMs since when rows of abandoned attempts may be around at {@code start}
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
    long baseCheckpointId,
    long dirtySinceMs,
    boolean clean) {
  /** The kind of a Flink job's attempt. */
  public static final String STREAM = "stream";

  /** The attempt was recorded by a version that did not number flushes by checkpoint id. */
  public static final long BASE_UNKNOWN = -1;

  /** Returns whether nothing was written before this attempt. */
  public boolean isFirst() {
    return number == 1 && start.equals(Epoch.GENESIS);
  }

  /**
   * Returns whether the attempt, at these positions, has touched again all that an abandoned one
   * can have touched.
   */
  public boolean recoveredAt(Offsets positions) {
    return isFirst() || positions.reach(endOffsets);
  }

  /** Returns the first checkpoint id of the attempt. */
  public long firstCheckpointId() {
    return baseCheckpointId + 1;
  }

  /** Returns the largest checkpoint id that a flush of this number can have. */
  public long checkpointIdAtMost(long flush) {
    return baseCheckpointId == BASE_UNKNOWN
        ? Epoch.NO_END
        : firstCheckpointId() + flush / FlushNumbers.PER_CHECKPOINT;
  }
}
