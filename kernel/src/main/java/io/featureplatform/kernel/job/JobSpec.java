package io.featureplatform.kernel.job;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.featureplatform.kernel.concurrent.AdaptiveLimit;
import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.cql.CqlPorts;
import io.featureplatform.kernel.store.cql.StoreAddress;
import io.featureplatform.kernel.store.cql.StoreTls;
import java.util.List;
import java.util.Map;

/**
 * What one job does, as written by the deployer. Operators carry the JSON text and read it where
 * they run. {@code source} and {@code layout} are read by their own packages.
 *
 * @param changelogTopic where commands are logged; empty: nowhere, whatever is to be watched
 */
public record JobSpec(
    String featureset,
    int generation,
    String deployment,
    String entity,
    JsonNode source,
    String deadLetterTopic,
    String dataFingerprint,
    String changelogTopic,
    JsonNode layout,
    Settings settings,
    Kafka kafka,
    Store store,
    Start start,
    Boolean benchWithoutUndo) {
  private static final long UNDO_TTL_MS = 43_200_000;

  /** Counts with undo rows, unless a benchmark asks what they cost. */
  public JobSpec {
    dataFingerprint = dataFingerprint == null ? "" : dataFingerprint;
    changelogTopic = changelogTopic == null ? "" : changelogTopic;
    benchWithoutUndo = benchWithoutUndo != null && benchWithoutUndo;
  }

  /** The start that continues the state of a savepoint. */
  public static final String FROM_SAVEPOINT = "savepoint";

  public record Settings(
      long flushIntervalMs,
      int flushChangesMax,
      long stateTtlMs,
      int readsInFlightMax,
      int writesInFlightMax,
      long storeRetryMs,
      Long undoTtlMs,
      Integer readsInFlightMin,
      Long readLatencyTargetMs) {
    public Settings {
      undoTtlMs = undoTtlMs == null ? UNDO_TTL_MS : undoTtlMs;
    }

    /** Returns the bound of reads; one that stays at its most where the spec sets no target. */
    public AdaptiveLimit readLimit() {
      return readLatencyTargetMs == null || readsInFlightMin == null
          ? AdaptiveLimit.fixed(readsInFlightMax)
          : AdaptiveLimit.of(
              Math.min(readsInFlightMin, readsInFlightMax), readsInFlightMax, readLatencyTargetMs);
    }
  }

  public record Kafka(String bootstrap, Map<String, String> properties) {}

  public record Store(
      List<String> contactPoints,
      String localDc,
      String keyspace,
      String table,
      String user,
      String passwordEnv,
      StoreTls tls) {

    /** Returns where the store is and who asks. */
    StoreAddress address() {
      return new StoreAddress(contactPoints, localDc, user, passwordEnv, tls);
    }
  }

  /**
   * Where the job begins if no state is restored: explicit offsets, the beginning for partitions
   * not named.
   *
   * @param offsets {@code "topic/partition"} to next offset
   * @param startAttempt of the cut; or of the sweep that went back to the savepoint of {@code
   *     restoredAttempt} and {@code restoredCheckpointId}
   * @param dirtySinceMs of the cut
   * @param clean whether the start is the last thing that was done before
   * @param acceptedMs when a person accepted that rows may be off
   * @param letters how many events were refused before, by reason
   */
  public record Start(
      String from,
      Map<String, Long> offsets,
      @JsonProperty("r_attempt") Integer startAttempt,
      @JsonProperty("r_label") Long startCheckpointId,
      Integer restoredAttempt,
      @JsonProperty("restored_label") Long restoredCheckpointId,
      Long dirtySinceMs,
      Boolean clean,
      Long acceptedMs,
      Map<String, Long> letters) {
    public Start {
      letters = letters == null ? Map.of() : letters;
      startAttempt = startAttempt == null ? 0 : startAttempt;
      startCheckpointId = startCheckpointId == null ? 0 : startCheckpointId;
      restoredAttempt = restoredAttempt == null ? 0 : restoredAttempt;
      restoredCheckpointId = restoredCheckpointId == null ? 0 : restoredCheckpointId;
      dirtySinceMs = dirtySinceMs == null ? 0 : dirtySinceMs;
      clean = clean != null && clean;
      acceptedMs = acceptedMs == null ? Age.NEVER : acceptedMs;
    }

    /** Returns the epoch that the deployer names. */
    public Epoch named() {
      return new Epoch(startAttempt, startCheckpointId);
    }

    /** Returns the restore point of a restored state: its own epoch, or the sweep back to it. */
    public Epoch after(Epoch state) {
      boolean swept =
          startAttempt != 0 && state.equals(new Epoch(restoredAttempt, restoredCheckpointId));
      return swept ? named() : state;
    }
  }

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
  public static JobSpec parse(String json) {
    try {
      return MAPPER.readValue(json, JobSpec.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not a job spec: " + e.getOriginalMessage(), e);
    }
  }

  /** Returns the topic of the source. */
  public String topic() {
    return source.get("topic").textValue();
  }

  /** Opens the ports to the store; may block until it answers, and be interrupted. */
  public Ports openPorts() throws InterruptedException {
    return CqlPorts.open(
        store.address(),
        store.keyspace(),
        store.table(),
        featureset,
        generation,
        settings.storeRetryMs());
  }

  /** Returns how old what must be undone may be. */
  public Age age() {
    return new Age(settings.undoTtlMs(), start.acceptedMs());
  }
}
