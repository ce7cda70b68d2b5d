package io.featureplatform.kernel.flink.intake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetResetStrategy;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

@SuppressWarnings("deprecation") // As in what is tested.
class StartOffsetsTest {
  private static final TopicPartition ZERO = new TopicPartition("t", 0);
  private static final TopicPartition ONE = new TopicPartition("t", 1);

  private static final Broker BROKER = new Broker(partition -> 100L, partition -> 200L);

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

  /** Where a restored position is no longer held, the consumer does not look for another. */
  @Test
  void nothingIsReset() {
    assertEquals(OffsetResetStrategy.NONE, new StartOffsets(Map.of()).getAutoOffsetResetStrategy());
  }

  private static Map<TopicPartition, Long> starts(Map<String, Long> offsets) {
    return BROKER.starts(offsets, List.of(ZERO, ONE));
  }
}
