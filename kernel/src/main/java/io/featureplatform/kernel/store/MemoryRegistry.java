package io.featureplatform.kernel.store;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A registry in memory, for tests; it can be taken down. */
public final class MemoryRegistry implements Registry {
  private final List<Attempt> attempts = new ArrayList<>();
  private final List<CutPart> parts = new ArrayList<>();
  private String owner;
  private Watch watch = Watch.OFF;
  private boolean down;

  /** Starts with the generation owned by this deployment. */
  public MemoryRegistry(String owner) {
    this.owner = owner;
  }

  /** Hands the generation to another deployment. */
  public synchronized void setOwner(String owner) {
    this.owner = owner;
  }

  /** From now on every request fails, or succeeds again. */
  public synchronized void setDown(boolean down) {
    this.down = down;
  }

  /** Changes of which entities commands are to be logged. */
  public synchronized void setWatch(Watch watch) {
    this.watch = watch;
  }

  /** Returns the parts of cuts recorded so far. */
  public synchronized List<CutPart> parts() {
    return List.copyOf(parts);
  }

  @Override
  public synchronized CompletionStage<Attempts> attempts() {
    return down
        ? CompletableFuture.failedFuture(isDown())
        : CompletableFuture.completedFuture(new Attempts(owner, List.copyOf(attempts)));
  }

  @Override
  public synchronized CompletionStage<Boolean> insert(Attempt attempt) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    boolean free = attempts.stream().noneMatch(other -> other.number() == attempt.number());
    boolean inserted = free && attempt.deployment().equals(owner);
    if (inserted) {
      attempts.add(attempt);
    }
    return CompletableFuture.completedFuture(inserted);
  }

  @Override
  public synchronized CompletionStage<Optional<Cut>> newestCut(int attempt) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    Cut.Search search = new Cut.Search();
    parts.stream()
        .filter(part -> part.attempt() == attempt)
        .sorted(Comparator.comparingLong(CutPart::checkpointId).reversed())
        .forEach(search::add);
    return CompletableFuture.completedFuture(search.found());
  }

  @Override
  public synchronized CompletionStage<Void> record(CutPart part) {
    if (down) {
      return CompletableFuture.failedFuture(isDown());
    }
    parts.add(part);
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public synchronized CompletionStage<Watch> watch(Watch known) {
    return down
        ? CompletableFuture.failedFuture(isDown())
        : CompletableFuture.completedFuture(watch);
  }

  @Override
  public void close() {
    // What is recorded outlives the job.
  }

  private static StoreDownException isDown() {
    return new StoreDownException("the in-memory registry was taken down", null);
  }
}
