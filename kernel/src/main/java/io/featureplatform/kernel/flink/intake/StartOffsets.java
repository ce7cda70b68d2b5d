package io.featureplatform.kernel.flink.intake;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Where a job without restored state begins to read: at the offsets it was given, and at the
 * beginning of all other partitions. Never at the end, and never where Kafka no longer has the
 * events: it refuses instead (rules 5 and 15).
 */
@SuppressWarnings("deprecation") // Kafka deprecates OffsetResetStrategy, the connector asks for it.
final class StartOffsets implements OffsetsInitializer {
  private static final long serialVersionUID = 1L;

  private final HashMap<String, Long> offsets;

  /** Takes offsets by {@code "topic/partition"}. */
  StartOffsets(Map<String, Long> offsets) {
    this.offsets = new HashMap<>(offsets);
  }

  @Override
  public Map<TopicPartition, Long> getPartitionOffsets(
      Collection<TopicPartition> partitions, PartitionOffsetsRetriever retriever) {
    Map<TopicPartition, Long> beginnings = retriever.beginningOffsets(partitions);
    Map<TopicPartition, Long> ends =
        offsets.isEmpty() ? Map.of() : retriever.endOffsets(partitions);
    Map<TopicPartition, Long> starts = new HashMap<>(beginnings);
    for (TopicPartition partition : partitions) {
      Long offset = offsets.get(partition.topic() + "/" + partition.partition());
      if (offset != null) {
        check(partition, offset, beginnings.get(partition), ends.get(partition));
        starts.put(partition, offset);
      }
    }
    return starts;
  }

  @Override
  public OffsetResetStrategy getAutoOffsetResetStrategy() {
    return OffsetResetStrategy.NONE;
  }

  private static void check(TopicPartition partition, long offset, long beginning, long end) {
    if (offset < beginning || offset > end) {
      throw new IllegalStateException(
          "the job must start at offset %d of %s, but Kafka has only %d to %d: events would be lost"
              .formatted(offset, partition, beginning, end));
    }
  }
}
