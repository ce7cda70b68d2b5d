package io.featureplatform.kernel.store;

/**
 * Numbers the flushes of one subtask within its attempt, so that the number alone gives the
 * checkpoint id: each one's flushes begin {@link #PER_CHECKPOINT} above those of the one before, or
 * just above the last flush if that had more. What {@link Attempt#checkpointIdAtMost} reads from it
 * is then never too small.
 *
 * <p>Without this a row would say its writer's attempt alone, and every entity first met after a
 * restart would cost a second read, of its undo rows, to learn that nothing was undone.
 */
public final class FlushNumbers {
  /** Flush numbers that each checkpoint id has for itself. */
  public static final long PER_CHECKPOINT = 1024;

  private final long firstCheckpointId;
  private final long perCheckpoint;
  private long last;

  /** Starts for an attempt with this first checkpoint id. */
  public FlushNumbers(long firstCheckpointId) {
    this(firstCheckpointId, PER_CHECKPOINT);
  }

  /** As above, for tests of what goes wrong with other distances. */
  FlushNumbers(long firstCheckpointId, long perCheckpoint) {
    this.firstCheckpointId = firstCheckpointId;
    this.perCheckpoint = perCheckpoint;
  }

  /** Returns the number of the next flush, of this checkpoint id; ids do not descend. */
  public long next(long checkpointId) {
    last = Math.max(last + 1, (checkpointId - firstCheckpointId) * perCheckpoint);
    return last;
  }
}
