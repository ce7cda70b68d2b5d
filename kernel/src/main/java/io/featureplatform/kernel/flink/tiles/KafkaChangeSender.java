package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.tile.Layout;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.Producer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends blocks to the changelog's topic. After a failure none are tried for a while, longer each
 * time, so that a topic that is gone costs a job a second now and then, and its commands nothing.
 * The producer is made with the first block: a job that logs nothing has none.
 */
final class KafkaChangeSender implements ChangeSender {
  static final long PAUSE_MIN_MS = 60_000;
  static final long PAUSE_MAX_MS = 600_000;

  private static final Logger LOG = LoggerFactory.getLogger(KafkaChangeSender.class);

  /** Of a block; Python's {@code changelog_settings} creates topics that take as much. */
  private static final String BYTES_MAX = "33554432";

  /** Opens the producer. */
  @FunctionalInterface
  interface Opening {
    Producer<byte[], byte[]> open();
  }

  private final String topic;
  private final Map<String, byte[]> headers;
  private final Clock clock;
  private final Opening opening;
  private final AtomicLong lost = new AtomicLong();
  private final AtomicBoolean toldTooLarge = new AtomicBoolean();
  private Producer<byte[], byte[]> producer;
  private volatile String failure;
  private long pauseMs = PAUSE_MIN_MS;
  private long pausedUntilMs;

  KafkaChangeSender(String topic, Map<String, byte[]> headers, Clock clock, Opening opening) {
    this.topic = topic;
    this.headers = headers;
    this.clock = clock;
    this.opening = opening;
  }

  /** Sends to the topic that the spec names. */
  static KafkaChangeSender of(JobSpec spec, Layout layout, Clock clock) {
    return new KafkaChangeSender(
        spec.changelogTopic(),
        ChangeBlock.headers(spec, layout),
        clock,
        () ->
            new KafkaProducer<>(
                properties(spec), new ByteArraySerializer(), new ByteArraySerializer()));
  }

  @Override
  public void send(ChangeBlock block) {
    if (topic.isEmpty() || isPaused()) {
      lost.addAndGet(block.count());
      return;
    }
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, block.rows());
    headers.forEach(record.headers()::add);
    try {
      if (producer == null) {
        producer = opening.open();
      }
      producer.send(
          record,
          (done, error) -> {
            if (error != null) {
              lose(block, error);
            }
          });
    } catch (KafkaException e) {
      lose(block, e);
    }
  }

  @Override
  public void flush() {
    if (producer == null) {
      return;
    }
    producer.flush();
    if (failure == null && pausedUntilMs > 0 && clock.nowMs() >= pausedUntilMs) {
      pausedUntilMs = 0;
      pauseMs = PAUSE_MIN_MS;
    }
  }

  @Override
  public long lost() {
    return lost.get();
  }

  @Override
  public void close() {
    if (producer != null) {
      producer.close(Duration.ZERO);
    }
  }

  private void lose(ChangeBlock block, Exception error) {
    lost.addAndGet(block.count());
    if (error instanceof RecordTooLargeException) {
      tooLarge(block, error);
    } else {
      failure = error.toString();
    }
  }

  /** Loses one block alone: the next is as likely to be taken as if this one had been. */
  private void tooLarge(ChangeBlock block, Exception error) {
    if (toldTooLarge.compareAndSet(false, true)) {
      LOG.error(
          "{} does not take a block of {} bytes; set its max.message.bytes to {}. It is lost, and"
              + " so are others that are too large, of which none is named here: {}",
          topic,
          block.rows().length,
          BYTES_MAX,
          error.toString());
    }
  }

  private boolean isPaused() {
    String failed = failure;
    if (failed != null) {
      failure = null;
      pausedUntilMs = clock.nowMs() + pauseMs;
      LOG.error(
          "Commands cannot be logged to {}; none are for the next {} s, the job keeps running: {}",
          topic,
          pauseMs / 1000,
          failed);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
    return clock.nowMs() < pausedUntilMs;
  }

  private static Properties properties(JobSpec spec) {
    Properties properties = new Properties();
    properties.setProperty("compression.type", "gzip");
    properties.setProperty("compression.gzip.level", "1");
    properties.putAll(spec.kafka().properties());
    properties.setProperty("bootstrap.servers", spec.kafka().bootstrap());
    properties.setProperty("acks", "all");
    properties.setProperty("max.request.size", BYTES_MAX);
    properties.setProperty("buffer.memory", BYTES_MAX);
    properties.setProperty("linger.ms", "5");
    properties.setProperty("max.block.ms", "1000");
    properties.setProperty("request.timeout.ms", "5000");
    properties.setProperty("delivery.timeout.ms", "10000");
    return properties;
  }
}
