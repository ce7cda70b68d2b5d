package io.featureplatform.kernel.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * Positions in a topic: for each partition, by {@code "topic/partition"}, the offset of the next
 * event. A partition that is not named is at its beginning.
 */
public record Offsets(Map<String, Long> next) {
  /** No partition is named. */
  public static final Offsets NONE = new Offsets(Map.of());

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final TypeReference<Map<String, Long>> TYPE = new TypeReference<>() {};

  /** Sorts them, so that equal ones have equal text. */
  public Offsets {
    next = Collections.unmodifiableMap(new TreeMap<>(next));
  }

  /**
   * Reads them as they are in the registry.
   *
   * @throws IllegalArgumentException the text is not JSON of offsets
   */
  public static Offsets parse(String json) {
    try {
      return new Offsets(JSON.readValue(json, TYPE));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not offsets: " + json, e);
    }
  }

  /** Returns them as they are in the registry. */
  public String toJson() {
    try {
      return JSON.writeValueAsString(next);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Returns whether every partition is at or past these ends. */
  public boolean reach(Offsets ends) {
    return ends.next.entrySet().stream()
        .allMatch(end -> next.getOrDefault(end.getKey(), 0L) >= end.getValue());
  }

  /** Returns for each partition the larger of both. */
  public Offsets max(Offsets other) {
    Map<String, Long> larger = new TreeMap<>(next);
    other.next.forEach((partition, offset) -> larger.merge(partition, offset, Math::max));
    return new Offsets(larger);
  }
}
