package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.Age;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Claim;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Claimed;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Origin;
import io.featureplatform.kernel.store.Recovery;
import io.featureplatform.kernel.store.Retry;
import io.featureplatform.kernel.tile.Layout;
import java.util.Map;
import java.util.Random;

/** Starts the jobs of one generation: claims their attempts, and gives them subtasks and state. */
final class ModelStarts {
  /**
   * A start to be made.
   *
   * @param heads the state, before any of it expires
   * @param clean whether it starts from the last thing its predecessor did
   * @param lastId the newest checkpoint id that was used
   */
  record Start(
      Origin origin,
      String deployment,
      int query,
      long[] positions,
      Map<String, byte[]> heads,
      boolean clean,
      long lastId) {}

  private static final double KEPT_IN_STATE = 0.7;
  private static final Retry RETRY = new Retry(0, () -> 0);

  private final ModelEngine.Config config;
  private final Broken broken;
  private final Layout layout;
  private final Clock clock;
  private final ModelEvents events;
  private final JobSpec spec;
  private final MemoryRegistry registry;
  private final ModelStore store;
  private final ModelPlatform platform;
  private int executions;

  ModelStarts(
      ModelEngine.Config config,
      Broken broken,
      Layout layout,
      Clock clock,
      ModelEvents events,
      MemoryRegistry registry,
      ModelStore store,
      ModelPlatform platform) {
    this.config = config;
    this.broken = broken;
    this.layout = layout;
    this.clock = clock;
    this.events = events;
    this.spec = spec(config, broken);
    this.registry = registry;
    this.store = store;
    this.platform = platform;
  }

  private static JobSpec spec(ModelEngine.Config config, Broken broken) {
    return new JobSpec(
        "model",
        1,
        "",
        "",
        null,
        "",
        null,
        new JobSpec.Settings(1_000, 4, 0, 3, 3, 0, config.undoTtlMs(), null, null),
        null,
        null,
        null,
        broken == Broken.NO_UNDO);
  }

  /**
   * Starts a job, one subtask or two.
   *
   * @param before the job that ran last, null if none did
   */
  ModelJob start(Start start, ModelJob before, Random random) {
    boolean restart = before != null && start.deployment().equals(before.deployment);
    Claimed claimed =
        restart && broken == Broken.ATTEMPT_KEPT_ON_RESTART ? before.claimed : claim(start);
    ModelJob job = job(claimed, start, 1 + random.nextInt(2), random);
    start
        .heads()
        .forEach(
            (entity, row) -> {
              if (random.nextDouble() < KEPT_IN_STATE) { // The rest has expired.
                job.subtaskOf(entity).heads.rows.put(entity, row);
              }
            });
    return job;
  }

  private ModelJob job(Claimed claimed, Start start, int parallelism, Random random) {
    ModelJob job =
        new ModelJob(
            claimed,
            start.deployment(),
            start.query(),
            start.positions(),
            start.lastId(),
            events,
            registry,
            broken);
    Recovery recovery = new Recovery(registry, RETRY, clock, "model", claimed.attempt(), age());
    for (int i = 0; i < parallelism; i++) {
      ModelSubtask subtask =
          new ModelSubtask(
              i, claimed, store, recovery, spec, layout, clock, broken, config.touchedRowsMax());
      subtask.setRandom(random);
      job.subtasks.add(subtask);
    }
    return job;
  }

  /**
   * Starts a job that was replaced once more, as one subtask.
   *
   * @throws ClaimRefusedException it does not get an attempt
   */
  ModelJob startReplaced(Start start, Random random) {
    return job(claim(start, new Age(config.undoTtlMs(), true)), start, 1, random);
  }

  private Age age() {
    return new Age(config.undoTtlMs(), broken == Broken.NO_AGE);
  }

  private Claimed claim(Start start) {
    if (broken == Broken.OFF_THE_LINE) {
      return claimAnyway(start);
    }
    try {
      return claim(start, age());
    } catch (ClaimRefusedException e) {
      throw ModelEngine.judged(e);
    }
  }

  private Claimed claim(Start start, Age age) {
    executions++;
    try {
      return new Claim(registry, RETRY, clock)
          .claim(
              new Claim.Request(
                  "model",
                  "run-" + executions,
                  start.deployment(),
                  start.origin(),
                  start.clean(),
                  age,
                  () -> ModelJob.offsets(events.ends())));
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Claims without asking whether the start is on the line. */
  private Claimed claimAnyway(Start start) {
    platform.claim(
        Attempt.STREAM, start.origin().start(), clock.nowMs(), ModelJob.offsets(events.ends()));
    registry.setOwner(start.deployment());
    Map<Integer, Attempt> attempts = platform.attempts();
    return new Claimed(attempts.get(attempts.size()), attempts);
  }
}
