package io.featureplatform.kernel.flink.intake;

import java.util.Collection;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer.PartitionOffsetsRetriever;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/** A broker, by what it holds of each partition: the first offset, and the one after the last. */
public record Broker(Function<TopicPartition, Long> beginning, Function<TopicPartition, Long> end)
    implements PartitionOffsetsRetriever {
  /** Returns where a job begins that is told these offsets by {@code "topic/partition"}. */
  public Map<TopicPartition, Long> starts(
      Map<String, Long> named, Collection<TopicPartition> partitions) {
    return new StartOffsets(named).getPartitionOffsets(partitions, this);
  }

  @Override
  public Map<TopicPartition, Long> committedOffsets(Collection<TopicPartition> partitions) {
    throw new AssertionError("committed offsets are for monitoring alone");
  }

  @Override
  public Map<TopicPartition, Long> endOffsets(Collection<TopicPartition> partitions) {
    return partitions.stream().collect(Collectors.toMap(Function.identity(), end));
  }

  @Override
  public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions) {
    return partitions.stream().collect(Collectors.toMap(Function.identity(), beginning));
  }

  @Override
  public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(Map<TopicPartition, Long> times) {
    throw new AssertionError("times are not asked for");
  }
}
