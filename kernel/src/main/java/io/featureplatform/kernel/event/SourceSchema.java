package io.featureplatform.kernel.event;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * What a source's events look like: the {@code source} object of the job spec.
 *
 * @param name name of the source, and of its view in SQL
 * @param topic Kafka topic
 * @param eventTime name of the column with the event time
 * @param eventTimeUnit what a number in that column counts
 * @param maxFutureMs how much later than its record's timestamp an event may claim to be
 * @param maxPastMs how much earlier than its record's timestamp an event may claim to be
 * @param eventBytesMax size in bytes above which an event is not looked at
 * @param columns declared columns; other fields of an event are ignored
 * @param sums bounds of the columns that the feature set sums
 * @param topicSinceMs the event time from which on the topic's events count; those before are in a
 *     table, the source's history; {@link Long#MIN_VALUE} without one
 */
public record SourceSchema(
    String name,
    String topic,
    String eventTime,
    TimeUnit eventTimeUnit,
    long maxFutureMs,
    long maxPastMs,
    int eventBytesMax,
    List<SourceColumn> columns,
    List<SumBound> sums,
    long topicSinceMs)
    implements Serializable {
  /** Size limit of a source that states none, in bytes. */
  public static final int DEFAULT_EVENT_BYTES_MAX = 1_000_000;

  /** The partition of what comes from the source's history: no topic has as many. */
  public static final int HISTORY_PARTITION = Integer.MAX_VALUE;

  /** Makes the lists unchangeable. */
  public SourceSchema {
    columns = List.copyOf(columns);
    sums = List.copyOf(sums);
  }

  /**
   * Reads the JSON text of a source.
   *
   * @throws IllegalArgumentException if it is no source
   */
  public static SourceSchema fromJson(String json) {
    try {
      return fromJson(new ObjectMapper().readTree(json));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the source definition is not JSON", e);
    }
  }

  /**
   * Reads the {@code source} object of a job spec.
   *
   * @throws IllegalArgumentException if a part is missing or does not fit
   */
  public static SourceSchema fromJson(JsonNode json) {
    List<SourceColumn> columns = new ArrayList<>();
    for (JsonNode column : json.required("columns")) {
      columns.add(
          new SourceColumn(
              column.required("name").textValue(),
              ColumnType.valueOf(column.required("type").textValue()),
              column.path("precision").intValue(),
              column.path("scale").intValue()));
    }
    return new SourceSchema(
        json.required("name").textValue(),
        json.required("topic").textValue(),
        json.required("event_time").textValue(),
        TimeUnit.of(json.path("event_time_unit").asText("ms")),
        json.required("max_future_ms").longValue(),
        json.path("max_past_ms").asLong(EventParser.LAST_TIME_MS),
        json.path("event_bytes_max").asInt(DEFAULT_EVENT_BYTES_MAX),
        columns,
        SumBound.fromJson(json.path("sum_scales"), columns),
        json.path("history").path("until_ms").asLong(Long.MIN_VALUE));
  }

  /**
   * Returns whether an event counts where it is: before the seam those of the history do, from the
   * seam on those of the topic. Whoever reads events asks here, so none counts twice.
   */
  public boolean counts(int partition, long eventTimeMs) {
    return (partition == HISTORY_PARTITION) == (eventTimeMs < topicSinceMs);
  }

  /**
   * Returns the index of a column.
   *
   * @throws IllegalArgumentException if there is no column of this name
   */
  public int indexOf(String column) {
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).name().equals(column)) {
        return i;
      }
    }
    throw new IllegalArgumentException("source " + name + " has no column " + column);
  }
}
