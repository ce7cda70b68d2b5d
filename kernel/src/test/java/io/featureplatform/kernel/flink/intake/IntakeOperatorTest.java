package io.featureplatform.kernel.flink.intake;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.MockProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class IntakeOperatorTest {
  private static final long T0 = World.START_MS;
  private static final String GOOD =
      "{\"post_id\": 5, \"action\": \"vi\\u00e9w\", \"price\": 1.25, \"ts\": " + T0 + "}";

  private final World world = new World();

  /** An event that parses becomes a row of the source's columns and the hidden ones. */
  @Test
  void goodEventsBecomeRows() throws Exception {
    try (Harness intake = new Harness(null, 0)) {
      intake.process(GOOD, 3, 17);
      RowData row = intake.rows().get(0);
      assertEquals(5, row.getLong(0));
      assertEquals("viéw", row.getString(1).toString());
      assertEquals("1.25", row.getDecimal(2, 10, 2).toString());
      assertEquals(T0, row.getLong(3));
      assertEquals(T0, row.getLong(4));
      assertEquals(3, row.getInt(5));
      assertEquals(17, row.getLong(6));
    }
  }

  /** The type of the rows names them as the SQL does. */
  @Test
  void rowsAreNamed() {
    SourceSchema schema = SourceSchema.fromJson(JobSpec.parse(Specs.json()).source());
    assertEquals(
        List.of("post_id", "action", "price", "ts", "__ts", "__partition", "__offset"),
        List.of(EventRows.type(schema).toRowFieldNames()));
  }

  /** A bad event becomes a dead letter with its own bytes, and says why and where it stood. */
  @Test
  void badEventsBecomeDeadLetters() throws Exception {
    try (Harness intake = new Harness(null, 0)) {
      intake.process("{\"post_id\": null}", 3, 17);
      assertEquals(List.of(), intake.rows());
      ProducerRecord<byte[], byte[]> record = intake.letters().get(0);
      assertEquals("events.dead_letters", record.topic());
      assertArrayEquals("key".getBytes(UTF_8), record.key());
      assertEquals("{\"post_id\": null}", new String(record.value(), UTF_8));
      Map<String, String> headers = new TreeMap<>();
      record.headers().forEach(h -> headers.put(h.key(), new String(h.value(), UTF_8)));
      assertEquals("missing_entity", headers.get("reason"));
      assertEquals("posts", headers.get("featureset"));
      assertEquals("events", headers.get("source_topic"));
      assertEquals("3", headers.get("partition"));
      assertEquals("17", headers.get("offset"));
      assertEquals(Long.toString(T0), headers.get("record_timestamp"));
      assertEquals("1", headers.get("generation"));
      assertEquals("1/1", headers.get("epoch"));
      assertEquals(9, headers.size());
    }
  }

  /** An event from before the seam is the history's: it neither counts nor is a letter. */
  @Test
  void whatTheHistoryHasIsLeftOut() throws Exception {
    String spec =
        Specs.json()
            .replaceFirst(
                "\"max_future_ms\"", "\"history\": {\"until_ms\": %d}, $0".formatted(T0 + 1));
    try (Harness intake = new Harness(null, 0, spec)) {
      intake.process(GOOD, 3, 17);
      intake.process(GOOD.replace(Long.toString(T0), Long.toString(T0 + 1)), 3, 18);
      intake.process("bad", 3, 19);
      assertEquals(List.of(18L), intake.rows().stream().map(row -> row.getLong(6)).toList());
      assertEquals(1, intake.letters().size());
    }
  }

  /** A record without a value is a dead letter without one. */
  @Test
  void tombstonesAreDeadLetters() throws Exception {
    try (Harness intake = new Harness(null, 0)) {
      intake.process(null, 0, 0);
      assertNull(intake.letters().get(0).value());
    }
  }

  /** At a barrier the next offsets are recorded, of bad events and of partitions not read too. */
  @Test
  void recordsPositions() throws Exception {
    try (Harness intake = new Harness(null, 0)) {
      intake.process(GOOD, 0, 10);
      intake.process("bad", 0, 11);
      intake.harness.prepareSnapshotPreBarrier(4);
    }
    Offsets positions =
        new Offsets(
            Map.of("events/0", 12L, "events/1", 7L)); // 7: where the spec starts partition 1.
    Map<String, Long> letters = Map.of("not_json", 1L);
    assertEquals(
        List.of(new CutPart(1, 4, "intake-0", 1, positions, letters)), world.registry.parts());
  }

  /** What was refused is counted on after a restart, and after a start from a cut. */
  @Test
  void countsLettersOn() throws Exception {
    OperatorSubtaskState state;
    try (Harness intake = new Harness(null, 0)) {
      intake.process("bad", 0, 10);
      state = intake.harness.snapshot(4, T0);
      intake.process("bad", 0, 11); // Read again after the restart.
    }
    try (Harness intake = new Harness(state, 4)) {
      intake.process("bad", 0, 11);
      intake.process("{}", 0, 12);
      intake.harness.prepareSnapshotPreBarrier(5);
    }
    Map<String, Long> letters = Map.of("not_json", 2L, "missing_entity", 1L);
    assertEquals(letters, world.registry.parts().get(0).letters());
    String spec =
        Specs.json("store", new Epoch(2, 5), T0, Age.NEVER)
            .replace("\"offsets\"", "\"letters\": {\"not_json\": 7}, \"offsets\"");
    try (Harness intake = new Harness(null, 0, spec)) {
      intake.process("bad", 0, 13);
      intake.harness.prepareSnapshotPreBarrier(6);
    }
    assertEquals(Map.of("not_json", 8L), world.registry.parts().get(1).letters());
  }

  /** A letter says in which epoch it was made, so that readers know which are void. */
  @Test
  void lettersNameTheirEpoch() throws Exception {
    try (Harness intake = new Harness(null, 0)) {
      intake.harness.prepareSnapshotPreBarrier(8);
      intake.process("bad", 0, 10);
      byte[] epoch = intake.letters().get(0).headers().lastHeader("epoch").value();
      assertEquals("1/9", new String(epoch, UTF_8));
    }
  }

  /** Restored positions are recorded although nothing more is read; the start's are over. */
  @Test
  void remembersPositions() throws Exception {
    OperatorSubtaskState state;
    try (Harness intake = new Harness(null, 0)) {
      intake.process(GOOD, 0, 10);
      intake.process(GOOD, 1, 90);
      state = intake.harness.snapshot(4, T0);
    }
    try (Harness intake = new Harness(state, 4)) {
      intake.harness.prepareSnapshotPreBarrier(5);
    }
    Offsets positions = new Offsets(Map.of("events/0", 11L, "events/1", 91L));
    assertEquals(List.of(new CutPart(2, 5, "intake-0", 1, positions)), world.registry.parts());
    assertEquals(new Epoch(1, 4), world.attempts().get(1).start());
  }

  /** A checkpoint without the intake's state is refused. */
  @Test
  void lostStateIsRefused() throws Exception {
    OperatorSubtaskState empty = OperatorSubtaskState.builder().build();
    assertThrows(SuppressRestartsException.class, () -> new Harness(empty, 4));
  }

  /** The attempt says where the topic ended, and what it was restored from. */
  @Test
  void claimsTheAttempt() throws Exception {
    OperatorSubtaskState state;
    try (Harness intake = new Harness(null, 0)) {
      intake.process(GOOD, 0, 10);
      state = intake.harness.snapshot(4, T0);
    }
    Attempt first = world.attempts().get(0);
    assertEquals(Epoch.GENESIS, first.start());
    assertEquals(new Offsets(Map.of("events/0", 12L)), first.endOffsets());
    assertEquals(true, first.clean());
    world.clock.advance(5_000);
    new Harness(state, 4).close();
    Attempt second = world.attempts().get(1);
    assertEquals(4, second.baseCheckpointId());
    assertEquals(T0, second.dirtySinceMs()); // Attempt 1 is the first, so it had recovered.
    assertEquals(false, second.clean());
  }

  /** An attempt that has not reached the ends of its claim hands its age on. */
  @Test
  void unrecoveredStateHandsItsAgeOn() throws Exception {
    OperatorSubtaskState state;
    try (Harness intake = new Harness(null, 0)) {
      state = intake.harness.snapshot(4, T0);
    }
    for (long offset : new long[] {10, 11}) { // The end is 12: the second run has recovered.
      world.clock.advance(5_000);
      long restoredFrom = world.attempts().size() == 1 ? 4 : 5;
      try (Harness intake = new Harness(state, restoredFrom)) {
        intake.process(GOOD, 0, offset);
        state = intake.harness.snapshot(5, world.clock.nowMs());
      }
    }
    new Harness(state, 5).close();
    List<Long> dirtySince = world.attempts().stream().map(Attempt::dirtySinceMs).toList();
    assertEquals(List.of(T0, T0, T0, T0 + 10_000), dirtySince);
  }

  /** After a rollback the savepoint's state goes on from the sweep; later checkpoints do not. */
  @Test
  void rollbacksStartFromTheSweep() throws Exception {
    OperatorSubtaskState savepoint;
    try (Harness intake = new Harness(null, 0)) {
      savepoint = intake.harness.snapshot(77, T0);
    }
    world.registry.insert(
        new Attempt(
            2, "s", Specs.DEPLOYMENT, "sweep", new Epoch(1, 77), Offsets.NONE, T0, 0, T0, true));
    String spec = Specs.json("savepoint", new Epoch(2, 1), 0, Age.NEVER);
    OperatorSubtaskState later;
    try (Harness intake = new Harness(savepoint, 77, spec)) {
      later = intake.harness.snapshot(78, T0);
    }
    new Harness(later, 78, spec).close();
    assertEquals(new Epoch(2, 1), world.attempts().get(2).start());
    assertEquals(77, world.attempts().get(2).baseCheckpointId());
    assertEquals(new Epoch(3, 78), world.attempts().get(3).start());
  }

  /** A start from the store names its epoch itself, and is refused off the line. */
  @Test
  void startsFromTheStore() throws Exception {
    new Harness(null, 0).close();
    new Harness(null, 0, Specs.json("store", new Epoch(1, 9), T0, Age.NEVER)).close();
    assertEquals(new Epoch(1, 9), world.attempts().get(1).start());
    assertThrows(
        SuppressRestartsException.class,
        () -> new Harness(null, 0, Specs.json("store", new Epoch(1, 10), T0, Age.NEVER)));
  }

  /** What is too old is asked, and goes on when a person has accepted it. */
  @Test
  void asksWhenTooOld() throws Exception {
    new Harness(null, 0).close();
    long oldMs = T0 - 43_200_000;
    assertThrows(
        SuppressRestartsException.class,
        () -> new Harness(null, 0, Specs.json("store", new Epoch(1, 9), oldMs, Age.NEVER)));
    new Harness(null, 0, Specs.json("store", new Epoch(1, 9), oldMs, T0)).close();
    assertEquals(2, world.attempts().size());
  }

  private static final class Harness implements AutoCloseable {
    private static final AtomicReference<MockProducer<byte[], byte[]>> SENT =
        new AtomicReference<>();

    final OneInputStreamOperatorTestHarness<RowData, RowData> harness;

    Harness(OperatorSubtaskState state, long checkpoint) throws Exception {
      this(state, checkpoint, Specs.json());
    }

    Harness(OperatorSubtaskState state, long checkpoint, String specJson) throws Exception {
      harness =
          new OneInputStreamOperatorTestHarness<>(
              new IntakeOperator(specJson, World::ports, World::ends, Harness::letters), 128, 1, 0);
      SourceSchema schema = SourceSchema.fromJson(JobSpec.parse(Specs.json()).source());
      harness.setup(EventRows.type(schema).toSerializer());
      if (state != null) {
        harness.setRestoredCheckpointId(checkpoint);
        harness.initializeState(state);
      }
      harness.open();
    }

    void process(String value, int partition, long offset) throws Exception {
      byte[] bytes = value == null ? null : value.getBytes(UTF_8);
      harness.processElement(
          new StreamRecord<>(
              GenericRowData.of("key".getBytes(UTF_8), bytes, partition, offset, T0)));
    }

    List<RowData> rows() {
      return harness.extractOutputValues();
    }

    List<ProducerRecord<byte[], byte[]>> letters() {
      return SENT.get().history();
    }

    private static DeadLetters letters(JobSpec spec, Clock clock, MetricGroup metrics) {
      MockProducer<byte[], byte[]> producer =
          new MockProducer<>(true, null, new ByteArraySerializer(), new ByteArraySerializer());
      SENT.set(producer);
      return new DeadLetters(
          producer,
          new Letter.Address("posts", 1, spec.topic(), spec.deadLetterTopic()),
          () -> true,
          clock,
          metrics);
    }

    @Override
    public void close() throws Exception {
      harness.close();
    }
  }
}
