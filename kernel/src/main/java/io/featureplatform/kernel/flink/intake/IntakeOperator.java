package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.event.ColumnType;
import io.featureplatform.kernel.event.EventParser;
import io.featureplatform.kernel.event.Reason;
import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.flink.AttemptState;
import io.featureplatform.kernel.flink.CutRecorder;
import io.featureplatform.kernel.flink.OriginState;
import io.featureplatform.kernel.flink.PortsFactory;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.row.FeatureAccumulator;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Ports;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.RowData;

/**
 * Parses events: good ones go to the SQL, all others to the dead letters. Before every barrier it
 * records up to where it has read, which is the other half of a cut.
 */
final class IntakeOperator extends AbstractStreamOperator<RowData>
    implements OneInputStreamOperator<RowData, RowData> {
  private static final long serialVersionUID = 1L;

  private final String specJson;
  private final PortsFactory portsFactory;
  private final EndOffsets endOffsets;
  private final DeadLetters.Factory lettersFactory;

  private transient Ports ports;
  private transient Retry retry;
  private transient AttemptState attempt;
  private transient OriginState origin;
  private transient CutRecorder cuts;
  private transient Positions positions;
  private transient SourceSchema schema;
  private transient EventParser parser;
  private transient EventRows rows;
  private transient Object[] values;
  private transient StreamRecord<RowData> event;
  private transient DeadLetters letters;
  private transient LetterCounts counts;
  private transient long lost;
  private transient long currentCheckpointId;
  private transient int[] texts;
  private transient Counter longTexts;
  private transient Counter inHistory;
  private transient Counter deadLetters;
  private transient Map<Reason, Counter> deadLettersByReason;

  IntakeOperator(
      String specJson,
      PortsFactory portsFactory,
      EndOffsets endOffsets,
      DeadLetters.Factory lettersFactory) {
    this.specJson = specJson;
    this.portsFactory = portsFactory;
    this.endOffsets = endOffsets;
    this.lettersFactory = lettersFactory;
  }

  /** Claims the attempt of this run: before this no subtask writes. */
  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    JobSpec spec = JobSpec.parse(specJson);
    schema = SourceSchema.fromJson(spec.source());
    parser = new EventParser(schema, spec.entity());
    rows = new EventRows(schema);
    values = new Object[schema.columns().size()];
    event = new StreamRecord<>(null);
    positions =
        new Positions(
            context.getOperatorStateStore(),
            context.isRestored(),
            spec.topic(),
            spec.start().offsets(),
            getRuntimeContext().getTaskInfo());
    ports = portsFactory.open(spec);
    retry = new Retry(spec.settings().storeRetryMs(), ports.clock());
    attempt = new AttemptState(context, spec.start());
    origin = new OriginState(context.getOperatorStateStore());
    attempt.claim(
        new Claim(ports.registry(), retry, ports.clock()),
        spec,
        AttemptState.execution(getContainingTask().getEnvironment()),
        origin,
        () -> endOffsets.read(spec));
    cuts =
        new CutRecorder(ports, getMetricGroup(), CutPart.INTAKE, getRuntimeContext().getTaskInfo());
    letters = lettersFactory.open(spec, ports.clock(), getMetricGroup());
    counts =
        new LetterCounts(
            context.getOperatorStateStore(),
            context.isRestored(),
            getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() == 0
                ? spec.start().letters()
                : Map.of());
    currentCheckpointId = attempt.claimed().attempt().firstCheckpointId();
    texts = texts(schema);
    longTexts = getMetricGroup().counter("long_texts");
    inHistory = getMetricGroup().counter("in_history");
    deadLetters = getMetricGroup().counter("dead_letters");
    deadLettersByReason = new EnumMap<>(Reason.class);
    for (Reason reason : Reason.values()) {
      deadLettersByReason.put(reason, getMetricGroup().counter("dead_letters_" + reason.code()));
    }
  }

  /** Hot path. */
  @Override
  public void processElement(StreamRecord<RowData> element) throws Exception {
    RowData raw = element.getValue();
    int partition = raw.getInt(RawRecords.PARTITION);
    long offset = raw.getLong(RawRecords.OFFSET);
    positions.seen(partition, offset);
    byte[] value = RawRecords.bytes(raw, RawRecords.VALUE);
    if (!parser.parse(value, raw.getLong(RawRecords.TIMESTAMP), values)) {
      refuse(raw);
    } else if (!schema.counts(partition, parser.eventTimeMs())) {
      inHistory.inc();
    } else {
      countLongTexts();
      output.collect(event.replace(rows.row(values, parser.eventTimeMs(), partition, offset)));
    }
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    letters.flush();
    counts.addLost(letters.lost() - lost);
    lost = letters.lost();
    currentCheckpointId = checkpointId + 1;
    cuts.record(attempt.number(), checkpointId, positions.offsets(), counts.all());
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    attempt.snapshot();
    positions.snapshot();
    counts.snapshot();
    origin.snapshot(ports.clock().nowMs(), positions.offsets());
  }

  @Override
  public void close() throws Exception {
    try (Ports closing = ports;
        Retry stopping = retry;
        DeadLetters sending = letters;
        CutRecorder waiting = cuts) {
      super.close();
    }
  }

  /** Says how often a text is longer than what features keep of it. */
  private void countLongTexts() {
    for (int index : texts) {
      if (values[index] instanceof byte[] text && text.length > FeatureAccumulator.TEXT_BYTES_MAX) {
        longTexts.inc();
      }
    }
  }

  private static int[] texts(SourceSchema schema) {
    return IntStream.range(0, schema.columns().size())
        .filter(index -> schema.columns().get(index).type() == ColumnType.STRING)
        .toArray();
  }

  private void refuse(RowData raw) throws IOException {
    deadLetters.inc();
    deadLettersByReason.get(parser.reason()).inc();
    counts.add(parser.reason());
    Epoch epoch = new Epoch(attempt.number(), currentCheckpointId);
    letters.send(new Letter(raw, parser.reason(), parser.detail(), epoch));
  }
}
