package io.featureplatform.kernel.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer.PartitionOffsetsRetriever;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

class StartOffsetsTest {
  private static final TopicPartition ZERO = new TopicPartition("t", 0);
  private static final TopicPartition ONE = new TopicPartition("t", 1);

  /** A broker that holds offsets 100 to 200 of every partition. */
  private static final class Broker implements PartitionOffsetsRetriever {
    @Override
    public Map<TopicPartition, Long> committedOffsets(Collection<TopicPartition> partitions) {
      throw new AssertionError("committed offsets are for monitoring alone");
    }

    @Override
    public Map<TopicPartition, Long> endOffsets(Collection<TopicPartition> partitions) {
      return all(partitions, 200);
    }

    @Override
    public Map<TopicPartition, Long> beginningOffsets(Collection<TopicPartition> partitions) {
      return all(partitions, 100);
    }

    @Override
    public Map<TopicPartition, OffsetAndTimestamp> offsetsForTimes(
        Map<TopicPartition, Long> times) {
      throw new AssertionError("times are not asked for");
    }

    private static Map<TopicPartition, Long> all(Collection<TopicPartition> partitions, long at) {
      Map<TopicPartition, Long> offsets = new HashMap<>();
      partitions.forEach(partition -> offsets.put(partition, at));
      return offsets;
    }
  }

  /** Named partitions begin where they are told to, the others at their beginning. */
  @Test
  void unnamedPartitionsBeginAtTheBeginning() {
    assertEquals(Map.of(ZERO, 150L, ONE, 100L), starts(Map.of("t/0", 150L, "u/1", 7L)));
    assertEquals(Map.of(ZERO, 100L, ONE, 100L), starts(Map.of()));
  }

  /** The end itself is a place to begin. */
  @Test
  void theEndIsAllowed() {
    assertEquals(200, starts(Map.of("t/1", 200L)).get(ONE));
  }

  /** Events that Kafka no longer holds, or never held, are not skipped silently. */
  @Test
  void lostEventsAreRefused() {
    for (long offset : new long[] {99, 201}) {
      Throwable told =
          assertThrows(IllegalStateException.class, () -> starts(Map.of("t/1", offset)));
      assertTrue(told.getMessage().contains("t-1"), told.getMessage());
    }
  }

  private static Map<TopicPartition, Long> starts(Map<String, Long> offsets) {
    return new StartOffsets(offsets).getPartitionOffsets(List.of(ZERO, ONE), new Broker());
  }
}
