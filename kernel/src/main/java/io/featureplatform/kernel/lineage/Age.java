package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import java.time.Instant;

/**
 * How long rows of abandoned attempts may wait to be undone (rule 8 of exactness): undo rows
 * expire, and with them the knowledge of what a row was.
 *
 * <p>A person's acceptance is for what abandoned attempts had left when it was given, not for the
 * life of the job: what the job leaves itself ages from that instant.
 *
 * @param undoTtlMs how long undo rows are kept
 * @param acceptedMs when a person accepted that rows may be off; {@link #NEVER} if nobody did
 */
public record Age(long undoTtlMs, long acceptedMs) {
  /** Nobody has accepted anything. */
  public static final long NEVER = 0;

  /** The part of the time that is kept as a margin, for clocks and for reads under way. */
  private static final int MARGIN_PART = 12;

  /** Asks a person: features may be off. */
  public static final class TooOldException extends ClaimRefusedException {
    private static final long serialVersionUID = 1L;

    TooOldException(String message) {
      super(message);
    }
  }

  /** Returns whether undo rows that are needed may be gone, of which nobody has accepted that. */
  boolean isTooOld(long dirtySinceMs, long nowMs) {
    return nowMs - Math.max(dirtySinceMs, acceptedMs) > limitMs();
  }

  /** Returns whether a person has accepted the rows that an abandoned attempt left. */
  boolean accepts(Attempt dead) {
    return dead.claimedMs() <= acceptedMs;
  }

  /** Says what that means and what to do. */
  TooOldException tooOld(String featureset, long dirtySinceMs, long nowMs) {
    return new TooOldException(
        ("%s: rows of abandoned attempts may be left since %s, %d s ago, but undo rows are"
                + " guaranteed to be kept for %d s only. Features may be wrong for entities that an"
                + " abandoned attempt wrote since then. To continue anyway: fp recover %s --from store"
                + " --accept-age. To start over instead: fp delete %s, then fp apply %s")
            .formatted(
                featureset,
                Instant.ofEpochMilli(dirtySinceMs),
                (nowMs - dirtySinceMs) / 1000,
                limitMs() / 1000,
                featureset,
                featureset,
                featureset));
  }

  private long limitMs() {
    return undoTtlMs - undoTtlMs / MARGIN_PART;
  }
}
