package io.featureplatform.kernel.store;

import java.time.Instant;

/**
 * How long rows of dead attempts may wait to be undone (rule 8 of exactness): undo rows expire, and
 * with them the knowledge of what a row was.
 *
 * @param undoTtlMs how long undo rows are kept
 * @param accepted whether a person has accepted that rows may be off
 */
public record Age(long undoTtlMs, boolean accepted) {
  /** The part of the time that is kept as a margin, for clocks and for reads under way. */
  private static final int MARGIN_PART = 12;

  /** Asks a person: features may be off. */
  public static final class TooOldException extends ClaimRefusedException {
    private static final long serialVersionUID = 1L;

    TooOldException(String message) {
      super(message);
    }
  }

  /** Tells whether undo rows that are needed may be gone. */
  boolean isTooOld(long dirtySinceMs, long nowMs) {
    return !accepted && nowMs - dirtySinceMs > limitMs();
  }

  /** Says what that means and what to do. */
  TooOldException tooOld(String featureset, long dirtySinceMs, long nowMs) {
    return new TooOldException(
        ("%s: rows of dead attempts may be around since %s, %d s ago; what they were before is"
                + " kept for sure for %d s only. Features may be off for entities that a dead attempt"
                + " touched since then. To go on all the same: fp recover %s --from store --accept-age."
                + " To count anew into a new generation: change the definition and fp apply.")
            .formatted(
                featureset,
                Instant.ofEpochMilli(dirtySinceMs),
                (nowMs - dirtySinceMs) / 1000,
                limitMs() / 1000,
                featureset));
  }

  private long limitMs() {
    return undoTtlMs - undoTtlMs / MARGIN_PART;
  }
}
