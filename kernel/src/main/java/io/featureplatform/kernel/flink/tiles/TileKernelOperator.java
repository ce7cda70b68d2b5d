package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.concurrent.RetryingTileStore;
import io.featureplatform.kernel.flink.AttemptState;
import io.featureplatform.kernel.flink.CutRecorder;
import io.featureplatform.kernel.flink.PortsFactory;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.lineage.Recovery;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.Layout;
import java.util.function.Predicate;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Turns the changelog of the SQL into rows in the store: drives a {@link KernelCore} by Flink's
 * elements, timers and barriers, and keeps its state.
 *
 * <p>When a barrier passes, the store has acknowledged every change before it. Nothing is written
 * after the last barrier: neither finishing nor closing flushes.
 */
final class TileKernelOperator extends AbstractStreamOperator<Void>
    implements OneInputStreamOperator<Row, Void> {
  private static final long serialVersionUID = 1L;

  private final String specJson;
  private final PortsFactory portsFactory;
  private final ChangeSender.Factory senders;

  private transient Ports ports;
  private transient Retry retry;
  private transient AttemptState attempt;
  private transient Recovery recovery;
  private transient CutRecorder cuts;
  private transient RowValues values;
  private transient Changelog changelog;
  private transient KernelCore core;
  private transient long flushIntervalMs;
  private transient FlushSchedule schedule;

  TileKernelOperator(String specJson, PortsFactory portsFactory, ChangeSender.Factory senders) {
    this.specJson = specJson;
    this.portsFactory = portsFactory;
    this.senders = senders;
  }

  /** Waits for the attempt that the intake claims: before this the job does not start. */
  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    var environment = getContainingTask().getEnvironment();
    CheckpointRules.check(environment.getJobConfiguration());
    JobSpec spec = JobSpec.parse(specJson);
    flushIntervalMs = spec.settings().flushIntervalMs();
    ports = portsFactory.open(spec);
    retry = new Retry(spec.settings().storeRetryMs(), ports.clock());
    attempt = new AttemptState(context, spec.start());
    attempt.await(
        new Claim(ports.registry(), retry, ports.clock()), AttemptState.execution(environment));
    recovery =
        new Recovery(
            ports.registry(),
            retry,
            ports.clock(),
            spec.featureset(),
            attempt.claimed().attempt(),
            spec.age());
    cuts =
        new CutRecorder(ports, getMetricGroup(), CutPart.KERNEL, getRuntimeContext().getTaskInfo());
    values = new RowValues();
    Layout layout = Layout.fromJson(spec.layout());
    changelog = changelog(spec, layout);
    core = core(spec, layout, context);
    getMetricGroup().gauge("attempt", (Gauge<Integer>) attempt::number);
    getMetricGroup().gauge("recovered", (Gauge<Integer>) () -> recovery.isRecovered() ? 1 : 0);
    getMetricGroup().gauge("store_retries", (Gauge<Long>) retry::retries);
  }

  @Override
  public void open() throws Exception {
    super.open();
    long now = getProcessingTimeService().getCurrentProcessingTime();
    schedule = new FlushSchedule(now, flushIntervalMs);
    armTimer(now, 0);
  }

  @Override
  public void processElement(StreamRecord<Row> element) throws Exception {
    Row row = element.getValue();
    core.change(
        row.getKind(),
        (String) row.getField(RowValues.ENTITY),
        (Long) row.getField(RowValues.TILE),
        values.of(row));
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    core.beforeBarrier(checkpointId);
    cuts.record(attempt.number(), checkpointId, recovery::refresh);
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    attempt.snapshot();
  }

  @Override
  public void close() throws Exception {
    try (Ports closing = ports;
        Retry stopping = retry;
        CutRecorder waiting = cuts;
        Changelog logging = changelog) {
      super.close();
    }
  }

  private Changelog changelog(JobSpec spec, Layout layout) throws InterruptedException {
    TaskInfo task = getRuntimeContext().getTaskInfo();
    int subtask = task.getIndexOfThisSubtask();
    Predicate<String> own =
        entity ->
            subtask
                == KeyGroupRangeAssignment.assignKeyToParallelOperator(
                    entity,
                    task.getMaxNumberOfParallelSubtasks(),
                    task.getNumberOfParallelSubtasks());
    return new Changelog(
        layout,
        ports.clock(),
        new Changelog.Owner(attempt.number(), subtask, own),
        Changelog.first(ports.registry()),
        ports.registry()::watch,
        senders.open(spec, layout, ports.clock()),
        getMetricGroup());
  }

  private KernelCore core(JobSpec spec, Layout layout, StateInitializationContext context) {
    TileStore store = new RetryingTileStore(ports.tiles(), retry);
    return new KernelCore(
        spec,
        layout,
        new StoreAccess(
            store,
            new ReadBack(store, attempt.claimed(), recovery),
            new InFlight(spec.settings().readLimit()),
            new InFlight(spec.settings().writesInFlightMax())),
        ports.clock(),
        attempt.claimed(),
        changelog,
        new HeadState(
            context.getKeyedStateStore(), this::setCurrentKey, spec.settings().stateTtlMs()),
        getMetricGroup());
  }

  private void onTime(long scheduledMs) throws Exception {
    long beganMs = getProcessingTimeService().getCurrentProcessingTime();
    core.flush();
    long endedMs = getProcessingTimeService().getCurrentProcessingTime();
    armTimer(Math.max(scheduledMs, endedMs), endedMs - beganMs);
  }

  private void armTimer(long nowMs, long tookMs) {
    var unused =
        getProcessingTimeService().registerTimer(schedule.after(nowMs, tookMs), this::onTime);
  }
}
