package io.featureplatform.kernel.flink.intake;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** The end that a job can reach: markers of transactions take offsets and are no events. */
class EventEndsTest {
  private static final TopicPartition P0 = new TopicPartition("events", 0);
  private static final TopicPartition P1 = new TopicPartition("events", 1);
  private static final Duration WAIT = Duration.ofMillis(300);

  /** A log with events at some offsets; what lies between them is passed over as markers are. */
  private static final class Log extends MockConsumer<byte[], byte[]> {
    private final Map<TopicPartition, TreeSet<Long>> events = new HashMap<>();
    private final Map<TopicPartition, Long> ends;
    private boolean silent;

    Log(Map<TopicPartition, Long> ends) {
      super("earliest");
      this.ends = ends;
      updateBeginningOffsets(Map.of(P0, 0L, P1, 0L));
    }

    Log with(TopicPartition partition, Long... offsets) {
      events.put(partition, new TreeSet<>(List.of(offsets)));
      return this;
    }

    @Override
    public synchronized void seek(TopicPartition partition, long offset) {
      super.seek(partition, offset);
      for (long each : silent ? Set.<Long>of() : of(partition).tailSet(offset)) {
        addRecord(new ConsumerRecord<>(partition.topic(), partition.partition(), each, null, null));
      }
    }

    @Override
    public synchronized long position(TopicPartition partition) {
      long position = super.position(partition);
      boolean more = silent || of(partition).ceiling(position) != null;
      return more ? position : Math.max(position, ends.get(partition));
    }

    private TreeSet<Long> of(TopicPartition partition) {
      return events.getOrDefault(partition, new TreeSet<>());
    }

    Map<TopicPartition, Long> found(long beginning) {
      return EventEnds.of(this, Map.of(P0, beginning, P1, beginning), ends, WAIT);
    }
  }

  @Test
  void withoutMarkersItIsTheEndOfTheTopic() {
    Log log = new Log(Map.of(P0, 3L, P1, 1L)).with(P0, 0L, 1L, 2L).with(P1, 0L);
    assertThat(log.found(0)).isEqualTo(Map.of(P0, 3L, P1, 1L));
  }

  @Test
  void markersAtTheEndAreNotWaitedFor() {
    Log log = new Log(Map.of(P0, 6L, P1, 400L)).with(P0, 0L, 1L, 2L, 4L).with(P1, 7L);
    assertThat(log.found(0)).isEqualTo(Map.of(P0, 5L, P1, 8L));
  }

  @Test
  void whatComesMeanwhileIsNotCounted() {
    Log log = new Log(Map.of(P0, 2L, P1, 2L)).with(P0, 0L, 1L, 2L, 3L).with(P1, 0L, 5L);
    assertThat(log.found(0)).isEqualTo(Map.of(P0, 2L, P1, 1L));
  }

  @Test
  void aPartitionWithoutEventsIsLeftOut() {
    Log log = new Log(Map.of(P0, 0L, P1, 300L));
    assertThat(log.found(0)).isEmpty();
  }

  @Test
  void nothingBeforeTheBeginningIsLookedAt() {
    Log log = new Log(Map.of(P0, 9L, P1, 8L)).with(P0, 3L).with(P1, 7L);
    assertThat(log.found(8)).isEqualTo(Map.of());
  }

  @Test
  void aBrokerThatIsSlowIsTakenAtItsWord() {
    Log log = new Log(Map.of(P0, 3L, P1, 1L));
    log.silent = true;
    assertThat(log.found(0)).isEqualTo(Map.of(P0, 3L, P1, 1L));
  }
}
