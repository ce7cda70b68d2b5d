package io.featureplatform.kernel.store;

import java.util.concurrent.ExecutionException;

/**
 * Claims an attempt for one run of a job (rule 1 of exactness): a number larger than all before,
 * the same for all subtasks of the run, and only for the deployment that owns the generation.
 */
public final class Claim {
  private final Registry registry;
  private final Retry retry;
  private final Clock clock;

  public Claim(Registry registry, Retry retry, Clock clock) {
    this.registry = registry;
    this.retry = retry;
    this.clock = clock;
  }

  /**
   * Returns the run's attempt, claiming it if no other subtask has. Blocks; may be interrupted.
   *
   * <ol>
   *   <li>Read all attempts.
   *   <li>One of this execution: it must start from the same epoch, and is the answer.
   *   <li>The owner is another deployment: refused, this job has been replaced.
   *   <li>Insert the next number if it is still free and the owner the same; else begin again.
   * </ol>
   *
   * @param request what to claim; its number and time are ignored
   * @throws ClaimRefusedException this job must not write
   */
  public Attempt claim(Attempt request) throws InterruptedException {
    while (true) {
      Registry.Attempts attempts = await(registry::attempts);
      int largest = 0;
      for (Attempt attempt : attempts.claimed()) {
        if (attempt.execution().equals(request.execution())) {
          return sameStart(attempt, request);
        }
        largest = Math.max(largest, attempt.number());
      }
      if (!request.deployment().equals(attempts.owner())) {
        throw new ClaimRefusedException(
            "deployment %s may not write: the generation is owned by %s. Deploy again if it should."
                .formatted(request.deployment(), attempts.owner()));
      }
      Attempt next = numbered(request, largest + 1);
      if (await(() -> registry.insert(next))) {
        return next;
      }
    }
  }

  private static Attempt sameStart(Attempt claimed, Attempt request) {
    if (!claimed.start().equals(request.start())) {
      throw new ClaimRefusedException(
          "attempt %d was claimed to start from %s, this subtask was restored from %s"
              .formatted(claimed.number(), claimed.start(), request.start()));
    }
    return claimed;
  }

  private Attempt numbered(Attempt request, int number) {
    return new Attempt(
        number,
        request.execution(),
        request.deployment(),
        request.kind(),
        request.start(),
        request.endOffsets(),
        clock.nowMs());
  }

  private <T> T await(Retry.Operation<T> operation) throws InterruptedException {
    try {
      return retry.run(operation).get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException("the registry failed", e.getCause());
    }
  }
}
