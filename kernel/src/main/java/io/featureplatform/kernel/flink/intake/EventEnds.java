package io.featureplatform.kernel.flink.intake;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.Consumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;

/**
 * Where the events of partitions end. Behind the last one there may be markers of transactions:
 * each takes an offset, and no job's position passes it before another event follows.
 */
final class EventEnds {
  /** After this time an end is taken as Kafka reports it. */
  static final Duration WAIT_MAX = Duration.ofSeconds(5);

  private static final Duration POLL = Duration.ofMillis(200);

  /** If there is no event in the last offsets, this many times as many are looked at. */
  private static final long STEP = 100;

  private final Consumer<byte[], byte[]> consumer;
  private final long deadlineNanos;

  private EventEnds(Consumer<byte[], byte[]> consumer, Duration waitMax) {
    this.consumer = consumer;
    this.deadlineNanos = System.nanoTime() + waitMax.toNanos();
  }

  /**
   * Returns the offset behind the last event of each partition; one without any is left out. Blocks
   * for a little more than a wait at most.
   */
  static Map<TopicPartition, Long> of(
      Consumer<byte[], byte[]> consumer,
      Map<TopicPartition, Long> beginnings,
      Map<TopicPartition, Long> ends,
      Duration waitMax) {
    return new EventEnds(consumer, waitMax).find(beginnings, ends);
  }

  private Map<TopicPartition, Long> find(
      Map<TopicPartition, Long> beginnings, Map<TopicPartition, Long> ends) {
    Map<TopicPartition, Long> found = new HashMap<>();
    Map<TopicPartition, Long> open = new HashMap<>(ends);
    open.entrySet().removeIf(end -> end.getValue() <= beginnings.get(end.getKey()));
    for (long back = 1; !open.isEmpty(); back *= STEP) {
      Map<TopicPartition, Long> starts = new HashMap<>();
      for (Map.Entry<TopicPartition, Long> end : open.entrySet()) {
        long first = beginnings.get(end.getKey());
        starts.put(end.getKey(), Math.max(first, end.getValue() - back));
      }
      Map<TopicPartition, Long> last = new HashMap<>();
      if (!read(starts, open, last)) {
        found.putAll(open);
        return found;
      }
      found.putAll(last);
      open.keySet().removeAll(last.keySet());
      open.keySet().removeIf(each -> starts.get(each) <= beginnings.get(each));
    }
    return found;
  }

  /** Notes the offsets behind the last events between starts and ends; false if time is over. */
  private boolean read(
      Map<TopicPartition, Long> starts,
      Map<TopicPartition, Long> ends,
      Map<TopicPartition, Long> last) {
    consumer.assign(starts.keySet());
    starts.forEach(consumer::seek);
    while (ends.entrySet().stream().anyMatch(this::isAhead)) {
      if (System.nanoTime() > deadlineNanos) {
        return false;
      }
      for (ConsumerRecord<byte[], byte[]> each : consumer.poll(POLL)) {
        TopicPartition partition = new TopicPartition(each.topic(), each.partition());
        if (each.offset() < ends.get(partition)) {
          last.merge(partition, each.offset() + 1, Math::max);
        }
      }
    }
    return true;
  }

  private boolean isAhead(Map.Entry<TopicPartition, Long> end) {
    return consumer.position(end.getKey()) < end.getValue();
  }
}
