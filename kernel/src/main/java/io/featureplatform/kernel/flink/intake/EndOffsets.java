package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Offsets;
import java.io.Serializable;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Where the topic of a job ends now. */
@FunctionalInterface
interface EndOffsets extends Serializable {
  /** How long Kafka may take to answer. */
  Duration WAIT_MAX = Duration.ofSeconds(60);

  /** Reads the ends; blocks. */
  Offsets read(JobSpec spec) throws InterruptedException;

  /**
   * The ends of the events. A partition that holds none is left out: no position can pass it, and
   * nothing in it can be read again.
   */
  static Offsets kafka(JobSpec spec) {
    Properties properties = new Properties();
    properties.putAll(spec.kafka().properties());
    properties.setProperty("bootstrap.servers", spec.kafka().bootstrap());
    properties.setProperty("enable.auto.commit", "false");
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(spec.topic(), WAIT_MAX).stream()
              .map(known -> new TopicPartition(known.topic(), known.partition()))
              .toList();
      Map<TopicPartition, Long> beginnings = consumer.beginningOffsets(partitions, WAIT_MAX);
      Map<TopicPartition, Long> raw = consumer.endOffsets(partitions, WAIT_MAX);
      Map<String, Long> ends = new HashMap<>();
      EventEnds.of(consumer, beginnings, raw, EventEnds.WAIT_MAX)
          .forEach(
              (partition, end) -> ends.put(partition.topic() + "/" + partition.partition(), end));
      return new Offsets(ends);
    }
  }
}
