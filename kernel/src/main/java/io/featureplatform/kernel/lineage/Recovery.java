package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Registry;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Whether the running attempt has recovered: its newest cut is past the topic's ends of the moment
 * it was claimed, so it has touched again whatever an abandoned attempt can have touched. Until
 * then it guards the age of what is undone. Thread-safe.
 */
public final class Recovery {
  private final Registry registry;
  private final Retry retry;
  private final Clock clock;
  private final String featureset;
  private final Attempt attempt;
  private final Age age;
  private volatile boolean recovered;

  public Recovery(
      Registry registry, Retry retry, Clock clock, String featureset, Attempt attempt, Age age) {
    this.registry = registry;
    this.retry = retry;
    this.clock = clock;
    this.featureset = featureset;
    this.attempt = attempt;
    this.age = age;
    this.recovered = attempt.isFirst();
  }

  /** Returns what was known last. */
  public boolean isRecovered() {
    return recovered;
  }

  /** Asks the registry, once, unless it is known already. */
  public CompletionStage<Boolean> refresh() {
    if (recovered) {
      return CompletableFuture.completedFuture(true);
    }
    return registry
        .newestCut(attempt.number())
        .thenApply(
            cut -> {
              if (cut.isPresent() && attempt.recoveredAt(cut.get().positions())) {
                recovered = true;
              }
              return recovered;
            });
  }

  /**
   * Checks that what is undone now is still known for sure.
   *
   * @return fails with {@link ClaimRefusedException} if it is too old
   */
  CompletionStage<Void> checkAge() {
    if (!age.isTooOld(attempt.dirtySinceMs(), clock.nowMs())) {
      return CompletableFuture.completedFuture(null);
    }
    return retry
        .run(this::refresh)
        .thenAccept(
            done -> {
              if (!done) {
                throw age.tooOld(featureset, attempt.dirtySinceMs(), clock.nowMs());
              }
            });
  }

  /** Returns whether a person has accepted the rows that an abandoned attempt left, as they are. */
  boolean acceptsUnresolved(Attempt dead) {
    return age.accepts(dead);
  }
}
