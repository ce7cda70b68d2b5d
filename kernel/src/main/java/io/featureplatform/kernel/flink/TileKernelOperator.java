package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.Retry;
import io.featureplatform.kernel.store.RetryingTileStore;
import io.featureplatform.kernel.tile.Layout;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Turns the changelog of the SQL into rows in the store: collects commands in a {@link Bundle} and
 * gives it to the {@link Flush} on a fixed schedule, when it is large, and before every barrier.
 *
 * <p>When a barrier passes, the store has acknowledged every change before it. Nothing is written
 * after the last barrier: neither finishing nor closing flushes.
 */
final class TileKernelOperator extends AbstractStreamOperator<Void>
    implements OneInputStreamOperator<Row, Void> {
  private static final long serialVersionUID = 1L;

  private final String specJson;
  private final PortsFactory portsFactory;

  private transient JobSpec.Settings settings;
  private transient Ports ports;
  private transient Retry retry;
  private transient AttemptState attempt;
  private transient CutRecorder cuts;
  private transient Bundle bundle;
  private transient RowValues values;
  private transient Flush flush;
  private transient FlushSchedule schedule;

  TileKernelOperator(String specJson, PortsFactory portsFactory) {
    this.specJson = specJson;
    this.portsFactory = portsFactory;
  }

  /** Claims the attempt: before this the job must not write, and does not start. */
  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    var environment = getContainingTask().getEnvironment();
    CheckpointRules.check(environment.getJobConfiguration());
    JobSpec spec = JobSpec.parse(specJson);
    Layout layout = Layout.fromJson(spec.layout());
    settings = spec.settings();
    ports = portsFactory.open(spec);
    retry = new Retry(settings.storeRetryMs(), ports.clock());
    attempt = AttemptState.claim(context, environment, spec, ports, retry);
    cuts = new CutRecorder(ports, getMetricGroup(), "kernel", getRuntimeContext().getTaskInfo());
    bundle = new Bundle(layout);
    values = new RowValues();
    flush =
        new Flush(
            settings,
            layout,
            new RetryingTileStore(ports.tiles(), retry),
            ports.clock(),
            attempt.number(),
            new HeadState(
                context.getKeyedStateStore(), this::setCurrentKey, layout, settings.stateTtlMs()),
            getMetricGroup());
    getMetricGroup().gauge("attempt", (Gauge<Integer>) attempt::number);
    getMetricGroup().gauge("store_retries", (Gauge<Long>) retry::retries);
  }

  @Override
  public void open() throws Exception {
    super.open();
    long now = getProcessingTimeService().getCurrentProcessingTime();
    schedule = new FlushSchedule(now, settings.flushIntervalMs());
    armTimer(now);
  }

  @Override
  public void processElement(StreamRecord<Row> element) throws Exception {
    Row row = element.getValue();
    bundle.add(
        (String) row.getField(RowValues.ENTITY),
        row.getKind(),
        (Long) row.getField(RowValues.TILE),
        values.of(row));
    if (bundle.commands() >= settings.flushChangesMax()) {
      flush.run(bundle.takeWhole());
    }
  }

  /** Flushes and waits for the store, so that the barrier covers written rows alone (rule 12). */
  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    flush.run(bundle.takeAll());
    flush.awaitAcknowledged();
    cuts.record(attempt.number(), checkpointId, null);
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
        CutRecorder waiting = cuts) {
      super.close();
    }
  }

  private void onTime(long scheduledMs) throws Exception {
    flush.run(bundle.takeWhole());
    armTimer(Math.max(scheduledMs, getProcessingTimeService().getCurrentProcessingTime()));
  }

  private void armTimer(long nowMs) {
    var unused = getProcessingTimeService().registerTimer(schedule.after(nowMs), this::onTime);
  }
}
