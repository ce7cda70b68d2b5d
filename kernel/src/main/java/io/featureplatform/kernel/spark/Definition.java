package io.featureplatform.kernel.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.tile.Layout;

/** What rows are computed from: the part of a job spec that a definition decides. */
final class Definition {
  private final JsonNode json;

  private Definition(JsonNode json) {
    this.json = json;
  }

  /**
   * Reads a definition, or a job spec that holds one.
   *
   * @throws IllegalArgumentException it is not JSON
   */
  static Definition parse(String json) {
    try {
      return new Definition(new ObjectMapper().readTree(json));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not a definition: " + e.getOriginalMessage(), e);
    }
  }

  /** Returns the column with the entity. */
  String entity() {
    return json.required("entity").textValue();
  }

  SourceSchema source() {
    return SourceSchema.fromJson(json.required("source"));
  }

  Layout layout() {
    return Layout.fromJson(json.required("layout"));
  }
}
