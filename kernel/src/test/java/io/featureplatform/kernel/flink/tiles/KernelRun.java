package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.flink.AttemptState;
import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/** One run of the kernel operator in Flink's harness, on the heap backend. */
final class KernelRun implements AutoCloseable {
  private final World world;
  private final MockEnvironment environment;
  private int attempt;
  private final KeyedOneInputStreamOperatorTestHarness<String, Row, Void> harness;

  private KernelRun(World world, String specJson) throws Exception {
    this.world = world;
    environment = new MockEnvironmentBuilder().setMaxParallelism(128).build();
    environment.getJobConfiguration().addAll(Specs.checkpointing());
    harness =
        new KeyedOneInputStreamOperatorTestHarness<>(
            new TileKernelOperator(
                specJson, World::ports, (spec, layout, clock) -> World.logged().sender()),
            Kernel::entity,
            Types.STRING,
            environment);
    harness.setStateBackend(new HashMapStateBackend());
    harness.setProcessingTime(world.clock.nowMs());
    harness.setup();
  }

  /** Starts without state, from the newest cut. */
  static KernelRun fresh(World world) throws Exception {
    return fresh(world, world.fromStore());
  }

  static KernelRun fresh(World world, String specJson) throws Exception {
    KernelRun run = new KernelRun(world, specJson);
    JobSpec.Start start = JobSpec.parse(specJson).start();
    run.claim(
        specJson,
        start.named().equals(Epoch.GENESIS)
            ? Origin.genesis()
            : Origin.cut(start.named(), start.dirtySinceMs()));
    run.harness.open();
    return run;
  }

  /** Does what the intake of the same run does. */
  private void claim(String specJson, Origin origin) throws Exception {
    JobSpec spec = JobSpec.parse(specJson);
    try (Retry retry = new Retry(1_000, world.clock)) {
      Claimed claimed =
          new Claim(world.registry, retry, world.clock)
              .claim(
                  new Claim.Request(
                      spec.featureset(),
                      AttemptState.execution(environment),
                      spec.deployment(),
                      origin,
                      spec.start().clean(),
                      spec.age(),
                      () -> world.ends));
      attempt = claimed.attempt().number();
    }
  }

  /** Starts from a checkpoint. */
  static KernelRun restored(World world, OperatorSubtaskState state, long checkpoint)
      throws Exception {
    KernelRun run = new KernelRun(world, Specs.json());
    Epoch epoch = new Epoch(attemptOf(world, checkpoint), checkpoint);
    run.claim(Specs.json(), Origin.restored(epoch, epoch, world.clock.nowMs(), Offsets.NONE));
    run.harness.setRestoredCheckpointId(checkpoint);
    run.harness.initializeState(state);
    run.harness.open();
    return run;
  }

  /** Checkpoints of the tests have ids of their own. */
  private static int attemptOf(World world, long checkpoint) {
    return world.checkpoints.get(checkpoint);
  }

  int attempt() {
    return attempt;
  }

  void command(RowKind kind, String entity, long tileMs, long events, Long watchMs)
      throws Exception {
    harness.processElement(
        new StreamRecord<>(Row.ofKind(kind, entity, tileMs, events, watchMs, null)));
  }

  void insert(String entity, long tileMs, long watchMs) throws Exception {
    command(RowKind.INSERT, entity, tileMs, 1, watchMs);
  }

  /** Moves the clocks and fires the timers on the way. */
  void pass(long ms) throws Exception {
    world.clock.advance(ms);
    harness.setStateTtlProcessingTime(world.clock.nowMs());
    harness.setProcessingTime(world.clock.nowMs());
  }

  /** Does what Flink does at a barrier. */
  OperatorSubtaskState checkpoint(long id) throws Exception {
    preBarrier(id);
    world.checkpoints.put(id, attempt);
    return snapshot(id);
  }

  /** Does what happens before the barrier; a cut is taken to be complete. */
  void preBarrier(long id) throws Exception {
    harness.prepareSnapshotPreBarrier(id);
    world.cut = new Epoch(attempt, id);
    world.dirtySinceMs = world.clock.nowMs();
  }

  OperatorSubtaskState snapshot(long id) throws Exception {
    return harness.snapshot(id, world.clock.nowMs());
  }

  /** Does what Flink does when there is no more input, or with {@code --drain}. */
  void finish() throws Exception {
    harness.getOneInputOperator().finish();
  }

  int entitiesInState() {
    return harness.numKeyedStateEntries();
  }

  @Override
  public void close() throws Exception {
    harness.close();
    environment.close();
  }
}
