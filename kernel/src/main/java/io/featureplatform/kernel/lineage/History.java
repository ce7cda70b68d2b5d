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
 * All epochs whose writes an epoch stands on: its attempt up to it, then the history of the epoch
 * from which that attempt started, back to {@link Epoch#GENESIS}. A line: each attempt has one
 * label up to which it counts, and what it wrote later is dead for this history.
 */
public final class History {
  private static final long NONE = -1;

  private final Map<Integer, Long> labels;

  private History(Map<Integer, Long> labels) {
    this.labels = labels;
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
    Map<Integer, Long> labels = new TreeMap<>();
    Epoch at = epoch;
    while (at.attempt() != Epoch.GENESIS.attempt()) {
      labels.put(at.attempt(), at.label());
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
    labels.put(Epoch.GENESIS.attempt(), Epoch.GENESIS.label());
    return new History(labels);
  }

  /** Tells whether this stands on what the attempt had written by the end of the label. */
  public boolean contains(int attempt, long label) {
    return label(attempt) >= label;
  }

  /** Tells whether this stands on the epoch. */
  public boolean contains(Epoch epoch) {
    return contains(epoch.attempt(), epoch.label());
  }

  /** Tells whether this stands on anything that the attempt wrote. */
  boolean meets(int attempt) {
    return labels.containsKey(attempt);
  }

  /** Returns for each attempt the label up to which it counts. */
  Map<Integer, Long> labels() {
    return Collections.unmodifiableMap(labels);
  }

  /**
   * Returns where this one leaves another: every epoch of this one that is not in the other is
   * there or later.
   */
  Epoch leaves(History other) {
    for (Map.Entry<Integer, Long> at : labels.entrySet()) {
      long common = other.label(at.getKey());
      if (at.getValue() > common) {
        return new Epoch(at.getKey(), common + 1);
      }
    }
    return new Epoch(WriteTime.ATTEMPT_MAX, UndoKey.LABEL_MAX);
  }

  private long label(int attempt) {
    return labels.getOrDefault(attempt, NONE);
  }
}
