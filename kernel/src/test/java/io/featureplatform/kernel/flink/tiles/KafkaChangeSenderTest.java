package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.tile.Layout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.Callback;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.MockProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TimeoutException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

/** A topic that is gone costs a try now and then, and stops nothing. */
class KafkaChangeSenderTest {
  private static final Map<String, byte[]> HEADERS =
      ChangeBlock.headers(JobSpec.parse(Specs.json()), Layout.fromJson(Specs.LAYOUT));

  private final ManualClock clock = new ManualClock(1_000_000);
  private final Deque<RuntimeException> errors = new ArrayDeque<>();
  private int opened;
  private int tries;
  private final MockProducer<byte[], byte[]> producer =
      new MockProducer<>(true, null, new ByteArraySerializer(), new ByteArraySerializer()) {
        @Override
        public Future<RecordMetadata> send(
            ProducerRecord<byte[], byte[]> record, Callback callback) {
          tries++;
          if (errors.isEmpty()) {
            return super.send(record, callback);
          }
          callback.onCompletion(null, errors.poll());
          return null;
        }
      };

  private KafkaChangeSender sender(String topic) {
    return new KafkaChangeSender(
        topic,
        HEADERS,
        clock,
        () -> {
          opened++;
          return producer;
        });
  }

  @Test
  void blocksSayWhatTheyHold() {
    try (ChangeSender sender = sender("changelog.posts")) {
      sender.flush();
      assertEquals(0, opened);
      sender.send(new ChangeBlock(new byte[] {1, 2}, 1));
      sender.flush();
    }
    ProducerRecord<byte[], byte[]> sent = producer.history().get(0);
    assertEquals("changelog.posts", sent.topic());
    assertArrayEquals(new byte[] {1, 2}, sent.value());
    assertEquals("1", header(sent, "format"));
    assertEquals("posts", header(sent, "featureset"));
    assertEquals("1", header(sent, "generation"));
    assertEquals("f", header(sent, "fingerprint"));
    assertEquals(
        "[[\"_events\",0,\"int\"],[\"watch_ms\",1,\"int\"],[\"language\",2,\"bytes\"]]",
        header(sent, "columns"));
  }

  @Test
  void aFailurePausesAndLongerEachTime() {
    try (ChangeSender sender = sender("changelog.posts")) {
      errors.add(new TimeoutException("no such topic"));
      sender.send(new ChangeBlock(new byte[1], 10));
      sender.send(new ChangeBlock(new byte[1], 20));
      assertEquals(1, tries);
      assertEquals(30, sender.lost());
      clock.advance(KafkaChangeSender.PAUSE_MIN_MS);
      errors.add(new TimeoutException("no such topic"));
      sender.send(new ChangeBlock(new byte[1], 1));
      sender.flush();
      clock.advance(KafkaChangeSender.PAUSE_MIN_MS);
      sender.send(new ChangeBlock(new byte[1], 1));
      assertEquals(2, tries);
      clock.advance(2 * KafkaChangeSender.PAUSE_MIN_MS);
      sender.send(new ChangeBlock(new byte[1], 1));
      sender.flush();
      assertEquals(3, tries);
      assertEquals(32, sender.lost());
      errors.add(new TimeoutException("once more"));
      sender.send(new ChangeBlock(new byte[1], 1));
      clock.advance(1);
      sender.send(new ChangeBlock(new byte[1], 1));
      clock.advance(KafkaChangeSender.PAUSE_MIN_MS);
      sender.send(new ChangeBlock(new byte[1], 1));
    }
    assertEquals(5, tries);
    assertEquals(2, producer.history().size());
  }

  @Test
  void aBlockThatIsTooLargePausesNothing() {
    try (ChangeSender sender = sender("changelog.posts")) {
      errors.add(new RecordTooLargeException("larger than the topic takes"));
      sender.send(new ChangeBlock(new byte[1], 10));
      sender.send(new ChangeBlock(new byte[1], 20));
      assertEquals(10, sender.lost());
    }
    assertEquals(2, tries);
    assertEquals(1, producer.history().size());
  }

  /** A job of before, or a trial, has no topic. */
  @Test
  void withoutATopicAllIsLost() {
    try (ChangeSender sender = sender("")) {
      sender.send(new ChangeBlock(new byte[1], 3));
      assertEquals(3, sender.lost());
    }
    assertEquals(0, opened);
  }

  private static String header(ProducerRecord<byte[], byte[]> record, String name) {
    return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
  }
}
