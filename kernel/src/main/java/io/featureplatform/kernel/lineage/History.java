package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * All epochs whose writes an epoch builds on: its attempt up to it, then the history of the epoch
 * from which that attempt started, back to {@link Epoch#GENESIS}. A line: each attempt has one
 * checkpoint up to which it counts, and what it wrote later is abandoned in this history.
 */
public final class History {
  private static final long NONE = -1;

  private final Map<Integer, Long> checkpointIds;

  private History(Map<Integer, Long> checkpointIds) {
    this.checkpointIds = checkpointIds;
  }

  /** Returns the history of an attempt as far as it goes. */
  public static History of(Map<Integer, Attempt> attempts, int attempt) {
    return of(attempts, new Epoch(attempt, Epoch.NO_END));
  }

  /**
   * Returns the history of an epoch.
   *
   * @param attempts by number
   * @throws ClaimRefusedException one that it leads to is not among them
   */
  public static History of(Map<Integer, Attempt> attempts, Epoch epoch) {
    Map<Integer, Long> checkpointIds = new TreeMap<>();
    Epoch at = epoch;
    while (at.attempt() != Epoch.GENESIS.attempt()) {
      checkpointIds.put(at.attempt(), at.checkpointId());
      Attempt attempt = attempts.get(at.attempt());
      if (attempt == null || attempt.start().attempt() >= at.attempt()) {
        throw new ClaimRefusedException(
            ("the registry does not say what attempt %d started from, so its rows cannot be"
                    + " classified: %s")
                .formatted(
                    at.attempt(),
                    attempt == null ? "the attempt is" + " missing" : attempt.start()));
      }
      at = attempt.start();
    }
    checkpointIds.put(Epoch.GENESIS.attempt(), Epoch.GENESIS.checkpointId());
    return new History(checkpointIds);
  }

  /** Returns whether this builds on what the attempt had written by the end of the checkpoint. */
  public boolean contains(int attempt, long checkpointId) {
    return lastCheckpointId(attempt) >= checkpointId;
  }

  /** Returns whether this builds on the epoch. */
  public boolean contains(Epoch epoch) {
    return contains(epoch.attempt(), epoch.checkpointId());
  }

  /** Returns whether this builds on anything that the attempt wrote. */
  boolean meets(int attempt) {
    return checkpointIds.containsKey(attempt);
  }

  /** Returns for each attempt the checkpoint id up to which it counts. */
  Map<Integer, Long> checkpointIds() {
    return Collections.unmodifiableMap(checkpointIds);
  }

  /**
   * Returns where this one leaves another: every epoch of this one that is not in the other is
   * there or later.
   */
  Epoch leaves(History other) {
    for (Map.Entry<Integer, Long> at : checkpointIds.entrySet()) {
      long common = other.lastCheckpointId(at.getKey());
      if (at.getValue() > common) {
        return new Epoch(at.getKey(), common + 1);
      }
    }
    return new Epoch(WriteTime.ATTEMPT_MAX, UndoKey.CHECKPOINT_ID_MAX);
  }

  private long lastCheckpointId(int attempt) {
    return checkpointIds.getOrDefault(attempt, NONE);
  }
}
