package io.featureplatform.kernel.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.cql.CqlPorts;
import io.featureplatform.kernel.store.cql.StoreAddress;
import io.featureplatform.kernel.store.cql.StoreTls;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayList;
import java.util.List;

/** What a backfill reads in the job spec, the same text that a job gets. */
final class BackfillSpec {
  private final JsonNode json;

  private BackfillSpec(JsonNode json) {
    this.json = json;
  }

  /**
   * Reads a spec.
   *
   * @throws IllegalArgumentException it is not JSON
   */
  static BackfillSpec parse(String json) {
    try {
      return new BackfillSpec(new ObjectMapper().readTree(json));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not a job spec: " + e.getOriginalMessage(), e);
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

  /** Returns how long the store is waited for. */
  long storeRetryMs() {
    return json.required("settings").required("store_retry_ms").longValue();
  }

  /** Opens the ports to the store; blocks until it answers. */
  Ports openPorts() throws InterruptedException {
    JsonNode store = json.required("store");
    List<String> contactPoints = new ArrayList<>();
    store.required("contact_points").forEach(point -> contactPoints.add(point.textValue()));
    return CqlPorts.open(
        new StoreAddress(
            contactPoints,
            store.required("local_dc").textValue(),
            store.required("user").textValue(),
            store.required("password_env").textValue(),
            tls(store.path("tls"))),
        store.required("keyspace").textValue(),
        store.required("table").textValue(),
        json.required("featureset").textValue(),
        json.required("generation").intValue(),
        storeRetryMs());
  }

  private static StoreTls tls(JsonNode tls) {
    return tls.isObject()
        ? new StoreTls(
            tls.required("ca_file").textValue(),
            tls.required("certificate_file").textValue(),
            tls.required("key_file").textValue(),
            tls.required("check_host_name").booleanValue())
        : null;
  }
}
