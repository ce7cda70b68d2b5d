package io.featureplatform.kernel.store;

import io.featureplatform.kernel.tile.TileKey;

/**
 * The {@code start} of an undo row: {@code attempt (20 bits) | checkpoint id (27 bits) | sequence
 * (16 bits)}, so that an entity's undo rows are in the order of their epochs.
 *
 * <p>The sequence is the number of the subtask's flush within the checkpoint: no undo row is ever
 * overwritten by a later one, which would lose what rows were before the first.
 */
public final class UndoKey {
  /** The level of undo rows. */
  public static final int LEVEL = -2;

  /** The largest checkpoint id. */
  public static final long CHECKPOINT_ID_MAX = (1L << 27) - 1;

  /** The largest number of a flush within a checkpoint. */
  public static final int SEQUENCE_MAX = (1 << 16) - 1;

  private static final int SEQUENCE_BITS = 16;
  private static final int EPOCH_BITS = 43;

  private UndoKey() {}

  /**
   * Returns the key of an undo row.
   *
   * @throws IllegalStateException one part is out of range; a new attempt counts from zero
   */
  public static TileKey of(Epoch epoch, int sequence) {
    return new TileKey(LEVEL, start(epoch, sequence));
  }

  /** Returns the start of that key. */
  public static long start(Epoch epoch, int sequence) {
    boolean fits =
        epoch.attempt() >= 0
            && epoch.attempt() <= WriteTime.ATTEMPT_MAX
            && epoch.checkpointId() >= 0
            && epoch.checkpointId() <= CHECKPOINT_ID_MAX
            && sequence >= 0
            && sequence <= SEQUENCE_MAX;
    if (!fits) {
      throw new IllegalStateException(
          ("no undo key is left for %s, flush %d of the checkpoint: the task must start a new"
                  + " attempt")
              .formatted(epoch, sequence));
    }
    return (long) epoch.attempt() << EPOCH_BITS | epoch.checkpointId() << SEQUENCE_BITS | sequence;
  }

  /** Returns the epoch whose flush wrote the undo row. */
  public static Epoch epoch(long start) {
    return new Epoch((int) (start >>> EPOCH_BITS), start >>> SEQUENCE_BITS & CHECKPOINT_ID_MAX);
  }
}
