package io.featureplatform.kernel.flink;

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
  private final KeyedOneInputStreamOperatorTestHarness<String, Row, Void> harness;

  private KernelRun(World world, String specJson) throws Exception {
    this.world = world;
    environment = new MockEnvironmentBuilder().setMaxParallelism(128).build();
    environment.getJobConfiguration().addAll(Specs.checkpointing());
    harness =
        new KeyedOneInputStreamOperatorTestHarness<>(
            new TileKernelOperator(specJson, World::ports),
            Kernel::entity,
            Types.STRING,
            environment);
    harness.setStateBackend(new HashMapStateBackend());
    harness.setProcessingTime(world.clock.nowMs());
    harness.setup();
  }

  /** Starts without state. */
  static KernelRun fresh(World world) throws Exception {
    return fresh(world, Specs.json());
  }

  static KernelRun fresh(World world, String specJson) throws Exception {
    KernelRun run = new KernelRun(world, specJson);
    run.harness.open();
    return run;
  }

  /** Starts from a checkpoint. */
  static KernelRun restored(World world, OperatorSubtaskState state, long checkpoint)
      throws Exception {
    KernelRun run = new KernelRun(world, Specs.json());
    run.harness.setRestoredCheckpointId(checkpoint);
    run.harness.initializeState(state);
    run.harness.open();
    return run;
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
    harness.prepareSnapshotPreBarrier(id);
    return snapshot(id);
  }

  void preBarrier(long id) throws Exception {
    harness.prepareSnapshotPreBarrier(id);
  }

  OperatorSubtaskState snapshot(long id) throws Exception {
    return harness.snapshot(id, world.clock.nowMs());
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
