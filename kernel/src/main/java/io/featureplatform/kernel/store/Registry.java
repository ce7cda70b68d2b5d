package io.featureplatform.kernel.store;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * The attempts and cuts of one generation. No call blocks; all may complete on any thread, and fail
 * with {@link StoreDownException} when trying again later may succeed.
 */
public interface Registry extends AutoCloseable {
  /**
   * All attempts so far and who may claim the next, as of one instant.
   *
   * @param owner the deployment that owns the generation; null if none does
   */
  record Attempts(String owner, List<Attempt> claimed) {}

  /** Reads the attempts; sees every insert that was decided before. */
  CompletionStage<Attempts> attempts();

  /**
   * Inserts an attempt if its number is free and its deployment still the owner, both in one step.
   * After a failure it may have happened or not: {@link #attempts()} shows it.
   *
   * @return whether it was inserted by this call
   */
  CompletionStage<Boolean> insert(Attempt attempt);

  /**
   * Returns the newest cut of an attempt of which all parts are recorded.
   *
   * @return empty if there is none so far
   */
  CompletionStage<Optional<Cut>> newestCut(int attempt);

  /** Records one part of a cut; it stays for seven days. */
  CompletionStage<Void> record(CutPart part);

  /**
   * Returns of which entities the feature set's commands are to be logged.
   *
   * @param known what was read before, which is not read again if nothing has changed
   */
  CompletionStage<Watch> watch(Watch known);

  @Override
  void close();
}
