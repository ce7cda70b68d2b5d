package io.featureplatform.kernel.store;

/**
 * The timestamp of every write: {@code attempt (20 bits) | flush (30 bits)}. A later attempt always
 * overwrites an earlier one, and the timestamp shows who wrote a row. Read as microseconds all of
 * them are before 2005, so no store takes one for an instant in the future.
 */
public final class WriteTime {
  /** Bits of the flush number. */
  public static final int FLUSH_BITS = 30;

  /** The largest attempt number. */
  public static final int ATTEMPT_MAX = (1 << 20) - 1;

  /** The largest flush number of one subtask within one attempt. */
  public static final long FLUSH_MAX = (1L << FLUSH_BITS) - 1;

  private WriteTime() {}

  /**
   * Joins attempt and flush.
   *
   * @throws IllegalStateException one is out of range; a new attempt starts counting flushes from
   *     zero
   */
  public static long of(int attempt, long flush) {
    if (attempt < 1 || attempt > ATTEMPT_MAX) {
      throw new IllegalStateException("attempt " + attempt + " is not in 1.." + ATTEMPT_MAX);
    }
    if (flush < 1 || flush > FLUSH_MAX) {
      throw new IllegalStateException(
          "flush " + flush + " is not in 1.." + FLUSH_MAX + ": the task must start a new attempt");
    }
    return ((long) attempt << FLUSH_BITS) | flush;
  }

  /** Returns the attempt that wrote at this time. */
  public static long attempt(long writeTime) {
    return writeTime >>> FLUSH_BITS;
  }

  /** Returns the flush within its attempt. */
  public static long flush(long writeTime) {
    return writeTime & FLUSH_MAX;
  }
}
