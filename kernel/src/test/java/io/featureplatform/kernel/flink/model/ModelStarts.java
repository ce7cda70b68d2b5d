package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.flink.intake.Broker;
import io.featureplatform.kernel.flink.tiles.LoggedCommands;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.lineage.Recovery;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

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

  /** What all jobs of the generation have logged. */
  final LoggedCommands logged = new LoggedCommands();

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
        "",
        "",
        null,
        new JobSpec.Settings(1_000, 4, 0, 3, 3, 0, config.undoTtlMs(), null, null),
        null,
        null,
        null,
        broken == Broken.NO_UNDO);
  }

  /** Returns where a job without state begins, which is told to begin at these positions. */
  long[] beginning(long[] positions) {
    Map<String, Long> named = new HashMap<>();
    List<TopicPartition> partitions = new ArrayList<>();
    for (int i = 0; i < positions.length; i++) {
      partitions.add(new TopicPartition("t", i));
      if (broken != Broken.LOST_EVENTS_SKIPPED || positions[i] >= events.beginning(i)) {
        named.put("t/" + i, positions[i]);
      }
    }
    Broker broker =
        new Broker(
            partition -> events.beginning(partition.partition()),
            partition -> events.end(partition.partition()));
    try {
      Map<TopicPartition, Long> starts = broker.starts(named, partitions);
      return partitions.stream().mapToLong(starts::get).toArray();
    } catch (IllegalStateException e) {
      throw new ModelEngine.AskedException(e);
    }
  }

  /**
   * Starts a job, one subtask or two.
   *
   * @param before the job that ran last, null if none did
   */
  ModelJob start(Start start, ModelJob before, Random random) {
    int parallelism = 1 + random.nextInt(2);
    ModelJob job = job(claims(start, before, parallelism), start, random);
    start
        .heads()
        .forEach(
            (entity, row) -> {
              if (random.nextDouble() < KEPT_IN_STATE) { // The rest has expired.
                job.subtaskOf(entity).heads().put(entity, row);
              }
            });
    return job;
  }

  private ModelJob job(List<Claimed> claims, Start start, Random random) {
    ModelJob job =
        new ModelJob(
            claims.get(claims.size() - 1),
            start.deployment(),
            start.query(),
            start.positions(),
            start.lastId(),
            events,
            registry,
            broken);
    for (Claimed claimed : claims) {
      ModelSubtask subtask = subtask(job.subtasks.size(), claimed);
      subtask.setRandom(random);
      job.subtasks.add(subtask);
    }
    return job;
  }

  private ModelSubtask subtask(int index, Claimed claimed) {
    Recovery recovery = new Recovery(registry, RETRY, clock, "model", claimed.attempt(), age());
    return new ModelSubtask(
        index,
        claimed,
        store,
        recovery,
        spec,
        layout,
        clock,
        broken,
        config.touchedRowsMax(),
        logged);
  }

  /**
   * Starts a job that was replaced once more, as one subtask.
   *
   * @throws ClaimRefusedException it does not get an attempt
   */
  ModelJob startReplaced(Start start, Random random) {
    executions++;
    Claimed claimed =
        claim(start, "run-" + executions, new Age(config.undoTtlMs(), Long.MAX_VALUE));
    return job(List.of(claimed), start, random);
  }

  private Age age() {
    return new Age(config.undoTtlMs(), broken == Broken.NO_AGE ? Long.MAX_VALUE : Age.NEVER);
  }

  /** Claims for each subtask; all of them are of one run. */
  private List<Claimed> claims(Start start, ModelJob before, int parallelism) {
    boolean restart = before != null && start.deployment().equals(before.deployment);
    if (restart && broken == Broken.ATTEMPT_KEPT_ON_RESTART) {
      return Collections.nCopies(parallelism, before.claimed);
    }
    if (broken == Broken.OFF_THE_LINE || passesRepair()) {
      return Collections.nCopies(parallelism, claimAnyway(start));
    }
    executions++;
    List<Claimed> claims = new ArrayList<>();
    for (int i = 0; i < parallelism; i++) {
      String alone = broken == Broken.SUBTASKS_CLAIM_ALONE ? "/" + i : "";
      claims.add(claim(start, "run-" + executions + alone));
    }
    return claims;
  }

  private boolean passesRepair() {
    Map<Integer, Attempt> attempts = platform.attempts();
    return broken == Broken.REPAIR_PASSED_BY
        && !attempts.isEmpty()
        && attempts.get(attempts.size()).kind().equals("repair");
  }

  private Claimed claim(Start start, String execution) {
    try {
      return claim(start, execution, age());
    } catch (ClaimRefusedException e) {
      throw ModelEngine.judged(e);
    }
  }

  private Claimed claim(Start start, String execution, Age age) {
    try {
      return new Claim(registry, RETRY, clock)
          .claim(
              new Claim.Request(
                  "model",
                  execution,
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
