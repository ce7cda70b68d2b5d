package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Clock;
import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.Producer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.ApiException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.AuthenticationException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RetriableException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends letters at least once, and never stops counting for one that cannot be sent.
 *
 * <p>A letter that the broker finds too large goes without its bytes. One that it refuses for
 * another reason (no right to write, no topic, a topic without a leader) is lost: counted, logged,
 * and for a while no others are tried, longer each time. Only if the broker does not answer at all
 * the job fails: it could not read events either, and reads these again. For the thread of a task.
 */
final class DeadLetters implements AutoCloseable {
  /** Makes the sender of a job. */
  @FunctionalInterface
  interface Factory extends Serializable {
    DeadLetters open(JobSpec spec, Clock clock, MetricGroup metrics);
  }

  /** How often a letter is sent before it is lost, where the broker answers. */
  static final int TRIES = 3;

  static final long PAUSE_MIN_MS = 60_000;
  static final long PAUSE_MAX_MS = 600_000;

  private static final Logger LOG = LoggerFactory.getLogger(DeadLetters.class);
  private static final Duration ANSWER_MAX = Duration.ofSeconds(10);
  private static final String BYTES_MAX = "33554432";

  private record Try(Letter letter, boolean whole, int number) {}

  private record Failure(Try of, Exception error) {}

  private final Producer<byte[], byte[]> producer;
  private final Letter.Address address;
  private final BooleanSupplier brokerAnswers;
  private final Clock clock;
  private final Counter cut;
  private final Counter lost;
  private final ConcurrentLinkedQueue<Failure> failures = new ConcurrentLinkedQueue<>();
  private long pauseMs = PAUSE_MIN_MS;
  private long pausedUntilMs;
  private boolean probing;
  private long allLost;

  DeadLetters(
      Producer<byte[], byte[]> producer,
      Letter.Address address,
      BooleanSupplier brokerAnswers,
      Clock clock,
      MetricGroup metrics) {
    this.producer = producer;
    this.address = address;
    this.brokerAnswers = brokerAnswers;
    this.clock = clock;
    this.cut = metrics.counter("dead_letters_cut");
    this.lost = metrics.counter("dead_letters_lost");
  }

  /** Sends to the topic that the spec names. */
  static DeadLetters kafka(JobSpec spec, Clock clock, MetricGroup metrics) {
    return new DeadLetters(
        new KafkaProducer<>(
            producerProperties(spec), new ByteArraySerializer(), new ByteArraySerializer()),
        new Letter.Address(
            spec.featureset(), spec.generation(), spec.topic(), spec.deadLetterTopic()),
        () -> brokerAnswers(spec),
        clock,
        metrics);
  }

  /** Starts sending a letter. */
  void send(Letter letter) throws IOException {
    settle();
    if (clock.nowMs() < pausedUntilMs) {
      lose();
      return;
    }
    probing = pausedUntilMs > 0;
    start(new Try(letter, true, 1));
  }

  /** Returns when no letter is under way: each was acknowledged or is counted as lost. */
  void flush() throws IOException {
    producer.flush();
    while (!failures.isEmpty()) {
      settle();
      producer.flush();
    }
    if (probing) { // What was tried after the pause has arrived.
      probing = false;
      pausedUntilMs = 0;
      pauseMs = PAUSE_MIN_MS;
    }
  }

  /** Returns how many letters were lost by this run. */
  long lost() {
    return allLost;
  }

  @Override
  public void close() {
    producer.close(Duration.ZERO);
  }

  private void start(Try one) {
    producer.send(
        one.letter().record(address, one.whole()),
        (done, error) -> {
          if (error != null) {
            failures.add(new Failure(one, error));
          }
        });
  }

  private void settle() throws IOException {
    for (Failure failure = failures.poll(); failure != null; failure = failures.poll()) {
      settle(failure.of(), failure.error());
    }
  }

  private void settle(Try one, Exception error) throws IOException {
    if (error instanceof RecordTooLargeException && one.whole()) {
      cut.inc();
      start(new Try(one.letter(), false, 1));
    } else if (error instanceof BufferExhaustedException) {
      producer.flush();
      start(one);
    } else if (error instanceof RecordTooLargeException) {
      lose(); // Of this letter alone: the next one may be smaller.
      LOG.warn(
          "Dead letter {} is too large even without its payload, and is lost", one.letter(), error);
    } else if (!(error instanceof ApiException) || error instanceof AuthenticationException) {
      throw new IOException("cannot send dead letters to " + address.topic(), error);
    } else if (error instanceof RetriableException && !brokerAnswers.getAsBoolean()) {
      throw new IOException("Kafka does not respond; a dead letter was not acknowledged", error);
    } else if (error instanceof RetriableException && one.number() < TRIES && !probing) {
      start(new Try(one.letter(), one.whole(), one.number() + 1));
    } else {
      lose();
      pause(error);
    }
  }

  private void lose() {
    lost.inc();
    allLost++;
  }

  /** Once for all letters that fail together. */
  private void pause(Exception error) {
    if (clock.nowMs() < pausedUntilMs) {
      return;
    }
    probing = false;
    pausedUntilMs = clock.nowMs() + pauseMs;
    LOG.error(
        "Dead letters of {} cannot be written to {} and are lost for the next {} s: {}",
        address.featureset(),
        address.topic(),
        pauseMs / 1000,
        error.toString());
    pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
  }

  private static Properties producerProperties(JobSpec spec) {
    Properties properties = new Properties();
    properties.setProperty("compression.type", "gzip");
    properties.putAll(Intake.properties(spec));
    properties.setProperty("bootstrap.servers", spec.kafka().bootstrap());
    properties.setProperty("acks", "all");
    // Twice is allowed; without numbers no refused letter blocks the next.
    properties.setProperty("enable.idempotence", "false");
    properties.setProperty("max.request.size", BYTES_MAX);
    properties.setProperty("buffer.memory", BYTES_MAX);
    properties.setProperty("linger.ms", "5");
    properties.setProperty("max.block.ms", "10000");
    properties.setProperty("request.timeout.ms", "10000");
    properties.setProperty("delivery.timeout.ms", "30000");
    return properties;
  }

  private static boolean brokerAnswers(JobSpec spec) {
    Properties properties = Intake.properties(spec);
    properties.setProperty("bootstrap.servers", spec.kafka().bootstrap());
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      return !consumer.partitionsFor(spec.topic(), ANSWER_MAX).isEmpty();
    } catch (KafkaException noAnswer) {
      return false;
    }
  }
}
