package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.Registry;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;

/**
 * Claims an attempt for one run of a job: a number larger than all before, the same for all
 * subtasks of the run (rule 1 of exactness), and only if it starts from the line of history (rule
 * 6) while what abandoned attempts left behind can still be undone (rule 8).
 */
public final class Claim {
  /** How long the kernel waits for the intake, which asks Kafka before it claims. */
  public static final long WAIT_MS_MAX = 180_000;

  private static final long POLL_MS = 200;

  /** Reads the topic's ends. */
  @FunctionalInterface
  public interface Ends {
    Offsets read() throws InterruptedException;
  }

  /**
   * What to claim.
   *
   * @param execution the run of the job
   * @param origin where it starts
   * @param clean whether the deployment starts from the last thing its predecessor did
   * @param ends read once, at the moment of the claim
   */
  public record Request(
      String featureset,
      String execution,
      String deployment,
      Origin origin,
      boolean clean,
      Age age,
      Ends ends) {}

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
   *   <li>The start is off the line, or too old: refused.
   *   <li>Insert the next number if it is still free and the owner the same; else begin again.
   * </ol>
   *
   * @throws ClaimRefusedException this job must not write
   */
  public Claimed claim(Request request) throws InterruptedException {
    while (true) {
      Registry.Attempts known = await(registry::attempts);
      Map<Integer, Attempt> attempts = byNumber(known);
      Optional<Attempt> ours = of(request.execution(), attempts);
      if (ours.isPresent()) {
        return claimed(ours.get(), request.origin(), attempts);
      }
      checkOwner(request, known.owner());
      checkLine(request.origin().start(), attempts);
      Attempt next = next(request, attempts);
      if (await(() -> registry.insert(next))) {
        attempts.put(next.number(), next);
        return new Claimed(next, attempts);
      }
    }
  }

  /**
   * Waits until another subtask of the run has claimed its attempt. Blocks; may be interrupted.
   *
   * @throws ClaimRefusedException it starts from elsewhere than this subtask
   * @throws IllegalStateException none has for too long
   */
  public Claimed await(String execution, Origin origin) throws InterruptedException {
    long deadlineMs = clock.nowMs() + WAIT_MS_MAX;
    while (true) {
      Map<Integer, Attempt> attempts = byNumber(await(registry::attempts));
      Optional<Attempt> ours = of(execution, attempts);
      if (ours.isPresent()) {
        return claimed(ours.get(), origin, attempts);
      }
      if (clock.nowMs() >= deadlineMs) {
        throw new IllegalStateException(
            "the intake did not claim an attempt for execution %s within %d s; see its log"
                .formatted(execution, WAIT_MS_MAX / 1000));
      }
      Thread.sleep(POLL_MS);
    }
  }

  private static Claimed claimed(Attempt ours, Origin origin, Map<Integer, Attempt> attempts) {
    boolean same =
        ours.start().equals(origin.start()) && ours.baseCheckpointId() == origin.baseCheckpointId();
    if (!same) {
      throw new ClaimRefusedException(
          ("attempt %d was claimed to start from %s after checkpoint %d, this subtask from %s after"
                  + " %d")
              .formatted(
                  ours.number(),
                  ours.start(),
                  ours.baseCheckpointId(),
                  origin.start(),
                  origin.baseCheckpointId()));
    }
    return new Claimed(ours, attempts);
  }

  private static void checkOwner(Request request, String owner) {
    if (!request.deployment().equals(owner)) {
      throw new ClaimRefusedException(
          ("deployment %s may not write: the generation is owned by deployment %s. To let it write,"
                  + " deploy again")
              .formatted(request.deployment(), owner));
    }
  }

  /**
   * Starting from an epoch abandons every later one permanently, and nothing that rewrote rows
   * without undo may be passed by.
   */
  private static void checkLine(Epoch start, Map<Integer, Attempt> attempts) {
    int newest = attempts.keySet().stream().max(Integer::compare).orElse(0);
    History line = History.of(attempts, newest);
    if (!line.contains(start)) {
      throw new ClaimRefusedException(
          ("cannot start from %s: it is not in the lineage of attempt %d (its attempts and last"
                  + " checkpoints: %s). Start from a later checkpoint, or from the store: fp recover")
              .formatted(start, newest, line.checkpointIds()));
    }
    for (int number : line.checkpointIds().keySet()) {
      Attempt passed = attempts.get(number);
      if (number > start.attempt() && !passed.kind().equals(Attempt.STREAM)) {
        throw new ClaimRefusedException(
            ("cannot start from %s: attempt %d, a %s, has rewritten rows since; start from attempt"
                    + " %d or later")
                .formatted(start, number, passed.kind(), number));
      }
    }
  }

  private Attempt next(Request request, Map<Integer, Attempt> attempts)
      throws InterruptedException {
    long nowMs = clock.nowMs();
    // A sweep, backfill or repair of the same deployment is what the job starts from; only a start
    // of the job itself may have left a task behind that still writes.
    boolean clean =
        request.clean()
            && attempts.values().stream()
                .filter(attempt -> attempt.kind().equals(Attempt.STREAM))
                .noneMatch(attempt -> attempt.deployment().equals(request.deployment()));
    long dirtySinceMs = request.origin().dirtySinceMs(attempts, clean, nowMs);
    if (request.age().isTooOld(dirtySinceMs, nowMs)) {
      throw request.age().tooOld(request.featureset(), dirtySinceMs, nowMs);
    }
    return new Attempt(
        attempts.keySet().stream().max(Integer::compare).orElse(0) + 1,
        request.execution(),
        request.deployment(),
        Attempt.STREAM,
        request.origin().start(),
        request.ends().read(),
        clock.nowMs(),
        request.origin().baseCheckpointId(),
        dirtySinceMs,
        clean);
  }

  private static Map<Integer, Attempt> byNumber(Registry.Attempts known) {
    Map<Integer, Attempt> attempts = new TreeMap<>();
    known.claimed().forEach(attempt -> attempts.put(attempt.number(), attempt));
    return attempts;
  }

  private static Optional<Attempt> of(String execution, Map<Integer, Attempt> attempts) {
    return attempts.values().stream()
        .filter(attempt -> attempt.execution().equals(execution))
        .findFirst();
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
