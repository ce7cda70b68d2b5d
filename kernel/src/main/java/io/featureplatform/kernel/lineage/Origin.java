package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;

/**
 * The epoch from which an attempt starts, its restore point, and since when rows of abandoned
 * attempts may be around there.
 */
public abstract class Origin {
  private final Epoch start;
  private final long baseCheckpointId;

  private Origin(Epoch start, long baseCheckpointId) {
    this.start = start;
    this.baseCheckpointId = baseCheckpointId;
  }

  /** Returns the beginning of everything: the empty table. */
  public static Origin genesis() {
    return new Genesis();
  }

  /** Returns a start from the store: at a cut, of which the deployer knows since when. */
  public static Origin cut(Epoch start, long dirtySinceMs) {
    return new AtCut(start, dirtySinceMs);
  }

  /**
   * Returns a start from restored state.
   *
   * @param state the epoch of the checkpoint or savepoint
   * @param start the same, or the sweep that went back to it
   * @param timeMs when it was taken
   * @param positions of all partitions in it
   */
  public static Origin restored(Epoch state, Epoch start, long timeMs, Offsets positions) {
    return new Restored(state, start, timeMs, positions);
  }

  /** Returns the restore point. */
  public Epoch start() {
    return start;
  }

  /** Returns the id of the restored checkpoint, 0 if none was. */
  public long baseCheckpointId() {
    return baseCheckpointId;
  }

  /**
   * Returns since when rows may be dirty at this epoch.
   *
   * @param attempts all so far
   * @param clean whether the epoch is the last thing its attempt did
   */
  abstract long dirtySinceMs(Map<Integer, Attempt> attempts, boolean clean, long nowMs);

  private static final class Genesis extends Origin {
    Genesis() {
      super(Epoch.GENESIS, 0);
    }

    @Override
    long dirtySinceMs(Map<Integer, Attempt> attempts, boolean clean, long nowMs) {
      return attempts.values().stream().mapToLong(Attempt::claimedMs).min().orElse(nowMs);
    }
  }

  private static final class AtCut extends Origin {
    private final long dirtySinceMs;

    AtCut(Epoch start, long dirtySinceMs) {
      super(start, 0);
      this.dirtySinceMs = dirtySinceMs;
    }

    @Override
    long dirtySinceMs(Map<Integer, Attempt> attempts, boolean clean, long nowMs) {
      return dirtySinceMs;
    }
  }

  private static final class Restored extends Origin {
    private final Epoch state;
    private final long timeMs;
    private final Offsets positions;

    Restored(Epoch state, Epoch start, long timeMs, Offsets positions) {
      super(start, state.checkpointId());
      this.state = state;
      this.timeMs = timeMs;
      this.positions = positions;
    }

    @Override
    long dirtySinceMs(Map<Integer, Attempt> attempts, boolean clean, long nowMs) {
      Attempt writer = attempts.get(state.attempt());
      if (writer == null) {
        throw new ClaimRefusedException(
            "the restored state belongs to attempt %d, which is not in the registry"
                .formatted(state.attempt()));
      }
      long leftMs = leftMs(attempts, clean, nowMs);
      return writer.recoveredAt(positions) ? leftMs : Math.min(leftMs, writer.dirtySinceMs());
    }

    /**
     * Returns since when something may have been written after the epoch. A job that was stopped
     * for days has left nothing behind: then it is the first start from there that may have.
     */
    private long leftMs(Map<Integer, Attempt> attempts, boolean clean, long nowMs) {
      if (!state.equals(start())) {
        return timeMs; // What the sweep has not reached yet is as old as what it undoes.
      }
      Optional<Attempt> first =
          attempts.values().stream()
              .filter(attempt -> attempt.clean() && attempt.start().equals(state))
              .min(Comparator.comparingInt(Attempt::number));
      return first.map(Attempt::claimedMs).orElse(clean ? nowMs : timeMs);
    }
  }
}
