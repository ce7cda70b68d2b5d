package io.featureplatform.kernel.flink;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.featureplatform.kernel.store.AdaptiveLimit;
import java.util.List;
import java.util.Map;

/**
 * What one job does, as written by the deployer. Operators carry the JSON text and read it where
 * they run. {@code source} and {@code layout} are read by their own packages.
 */
record JobSpec(
    String featureset,
    int generation,
    String deployment,
    String entity,
    JsonNode source,
    String deadLetterTopic,
    JsonNode layout,
    Settings settings,
    Kafka kafka,
    Store store,
    Start start) {
  /** The start that continues the state of a savepoint. */
  static final String FROM_SAVEPOINT = "savepoint";

  record Settings(
      long flushIntervalMs,
      int flushChangesMax,
      long stateTtlMs,
      int readsInFlightMax,
      int writesInFlightMax,
      long storeRetryMs,
      Integer readsInFlightMin,
      Long readLatencyTargetMs) {
    /** Returns the bound of reads; one that stays at its most where the spec sets no target. */
    AdaptiveLimit readLimit() {
      return readLatencyTargetMs == null || readsInFlightMin == null
          ? AdaptiveLimit.fixed(readsInFlightMax)
          : AdaptiveLimit.of(
              Math.min(readsInFlightMin, readsInFlightMax), readsInFlightMax, readLatencyTargetMs);
    }
  }

  record Kafka(String bootstrap, Map<String, String> properties) {}

  record Store(
      List<String> contactPoints,
      String localDc,
      String keyspace,
      String table,
      String user,
      String passwordEnv) {}

  /**
   * Where the job begins if no state is restored: explicit offsets, the beginning for partitions
   * not named.
   *
   * @param offsets {@code "topic/partition"} to next offset
   * @param endOffsets the topic's ends when it was deployed
   */
  record Start(
      String from,
      Map<String, Long> offsets,
      int rAttempt,
      long rLabel,
      Map<String, Long> endOffsets) {}

  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  /**
   * Reads a spec.
   *
   * @throws IllegalArgumentException it is not JSON of this shape
   */
  static JobSpec parse(String json) {
    try {
      return MAPPER.readValue(json, JobSpec.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not a job spec: " + e.getOriginalMessage(), e);
    }
  }

  String topic() {
    return source.get("topic").textValue();
  }

  /** Writes offsets as they stand in the registry. */
  static String offsetsJson(Map<String, Long> offsets) {
    try {
      return MAPPER.writeValueAsString(offsets);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
