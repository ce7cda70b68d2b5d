package io.featureplatform.kernel.flink.intake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.event.Reason;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.ManualClock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Future;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.Callback;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.MockProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.AuthenticationException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TimeoutException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.data.GenericRowData;
import org.junit.jupiter.api.Test;

class DeadLettersTest {
  private final ManualClock clock = new ManualClock(1_000_000);
  private final Refusing producer = new Refusing();
  private boolean answers = true;
  private final DeadLetters letters =
      new DeadLetters(
          producer,
          new Letter.Address("posts", 2, "events", "events.dead_letters"),
          () -> answers,
          clock,
          new UnregisteredMetricsGroup());

  /** Fails as many sends as it is given errors, and says so as Kafka does: by the callback. */
  private static final class Refusing extends MockProducer<byte[], byte[]> {
    final Deque<RuntimeException> errors = new ArrayDeque<>();
    int sends;

    Refusing() {
      super(true, null, new ByteArraySerializer(), new ByteArraySerializer());
    }

    @Override
    public Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> record, Callback callback) {
      sends++;
      if (errors.isEmpty()) {
        return super.send(record, callback);
      }
      callback.onCompletion(null, errors.poll());
      return null;
    }
  }

  private static Letter letter(int keyBytes, int valueBytes) {
    return new Letter(
        GenericRowData.of(new byte[keyBytes], new byte[valueBytes], 3, 17L, 5L),
        Reason.TOO_LARGE,
        "d".repeat(5_000),
        new Epoch(1, 2));
  }

  private static String header(ProducerRecord<byte[], byte[]> record, String name) {
    var header = record.headers().lastHeader(name);
    return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
  }

  /** A letter stays below a broker's usual limit, and says what it leaves out. */
  @Test
  void lettersAreBounded() throws Exception {
    letters.send(letter(70_000, 1_999_800));
    letters.send(letter(4, 900_000));
    letters.flush();
    ProducerRecord<byte[], byte[]> large = producer.history().get(0);
    assertNull(large.key());
    assertEquals(900_000, large.value().length);
    assertEquals("1999800", header(large, "truncated"));
    assertEquals("70000", header(large, "key_truncated"));
    assertEquals(1_000, header(large, "detail").length());
    assertEquals("17", header(large, "offset"));
    ProducerRecord<byte[], byte[]> whole = producer.history().get(1);
    assertArrayEquals(new byte[900_000], whole.value());
    assertNull(header(whole, "truncated"));
  }

  /** What the topic of letters does not take goes without its bytes; else it is lost, alone. */
  @Test
  void lettersTooLargeGoWithoutBytes() throws Exception {
    producer.errors.add(new RecordTooLargeException());
    letters.send(letter(4, 500));
    letters.flush();
    ProducerRecord<byte[], byte[]> sent = producer.history().get(0);
    assertNull(sent.value());
    assertNull(sent.key());
    assertEquals("500", header(sent, "truncated"));
    assertEquals("17", header(sent, "offset"));
    producer.errors.addAll(List.of(new RecordTooLargeException(), new RecordTooLargeException()));
    letters.send(letter(4, 500));
    letters.flush();
    assertEquals(1, letters.lost());
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(2, producer.history().size());
  }

  /** Without the right to write letters events are counted on, and letters are tried seldom. */
  @Test
  void refusedLettersAreLost() throws Exception {
    producer.errors.add(new TopicAuthorizationException("no"));
    letters.send(letter(4, 5));
    letters.flush();
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(2, letters.lost());
    assertEquals(1, producer.sends);
    clock.advance(DeadLetters.PAUSE_MIN_MS);
    producer.errors.add(new InvalidTopicException("no"));
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(3, letters.lost());
    clock.advance(DeadLetters.PAUSE_MIN_MS); // The second pause is longer.
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(4, letters.lost());
    clock.advance(DeadLetters.PAUSE_MIN_MS);
    letters.send(letter(4, 5));
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(4, letters.lost());
    assertEquals(2, producer.history().size());
  }

  /** A topic that is missing while the broker answers costs letters, after some tries. */
  @Test
  void lettersWithoutTopicAreLost() throws Exception {
    for (int i = 0; i < DeadLetters.TRIES; i++) {
      producer.errors.add(new TimeoutException("not present in metadata"));
    }
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(1, letters.lost());
    assertEquals(DeadLetters.TRIES, producer.sends);
    clock.advance(DeadLetters.PAUSE_MIN_MS);
    producer.errors.add(new TimeoutException("not present in metadata"));
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(2, letters.lost());
    assertEquals(DeadLetters.TRIES + 1, producer.sends);
  }

  /** A moment without an answer costs none. */
  @Test
  void lettersAreSentAgain() throws Exception {
    producer.errors.add(new TimeoutException("expired"));
    letters.send(letter(4, 5));
    letters.flush();
    assertEquals(0, letters.lost());
    assertEquals(1, producer.history().size());
  }

  /** Without a broker nothing is lost: the job fails, and reads the events again. */
  @Test
  void withoutBrokerTheJobFails() throws Exception {
    answers = false;
    producer.errors.add(new TimeoutException("expired"));
    letters.send(letter(4, 5));
    assertThrows(IOException.class, letters::flush);
    answers = true;
    producer.errors.add(new AuthenticationException("who are you"));
    letters.send(letter(4, 5));
    assertThrows(IOException.class, letters::flush);
    assertEquals(0, letters.lost());
  }
}
