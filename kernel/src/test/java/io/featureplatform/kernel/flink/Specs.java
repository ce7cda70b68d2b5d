package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.store.Epoch;
import org.apache.flink.configuration.Configuration;

/** Job specs and settings for the tests. */
public final class Specs {
  public static final String DEPLOYMENT = "deployment-a";
  public static final long FLUSH_MS = 1_000;
  public static final long STATE_TTL_MS = 7_200_000;
  public static final int CHANGES_MAX = 50;

  /** One minute and five minutes; 3 and 1 of them in the head; kept for 1 h and 2 h. */
  public static final String LAYOUT =
      """
      {"levels_ms": [60000, 300000], "depth": [3, 1], "retention_ms": [3600000, 7200000],
       "columns": [
        {"id": 0, "name": "_events", "kind": "count", "carrier": "int", "n": 0,
         "levels": [0, 1], "lifetime": true},
        {"id": 1, "name": "watch_ms", "kind": "sum", "carrier": "int", "n": 0,
         "levels": [0, 1], "lifetime": true},
        {"id": 2, "name": "language", "kind": "last", "carrier": "text", "n": 0,
         "levels": [], "lifetime": true}]}""";

  private static final String SPEC =
      """
      {"featureset": "posts", "generation": 1, "deployment": "%s", "data_fingerprint": "f",
       "entity": "post_id", "sql": "SELECT",
       "source": {"name": "events", "topic": "events", "event_time": "ts", "max_future_ms": 300000,
        "columns": [{"name": "post_id", "type": "BIGINT"}, {"name": "action", "type": "STRING"},
         {"name": "price", "type": "DECIMAL", "precision": 10, "scale": 2},
         {"name": "ts", "type": "TIMESTAMP"}]},
       "dead_letter_topic": "events.dead_letters",
       "layout": %s,
       "settings": {"flush_interval_ms": 1000, "flush_changes_max": 50, "state_ttl_ms": 7200000,
        "sql_state_ttl_ms": 600000, "checkpoint_interval_ms": 5000, "parallelism": 1,
        "max_parallelism": 128, "mini_batch_ms": 1000, "mini_batch_size": 1000,
        "reads_in_flight_max": 4, "writes_in_flight_max": 4, "store_retry_ms": 60000},
       "kafka": {"bootstrap": "127.0.0.1:1", "properties": {}},
       "store": {"contact_points": ["127.0.0.1:1"], "local_dc": "datacenter1", "keyspace": "fp",
        "table": "tiles_posts_g1", "user": "", "password_env": ""},
       "start": {"from": "%s", "offsets": {"events/1": 7}, "r_attempt": %d, "r_label": %d,
        "restored_attempt": 1, "restored_label": 77, "dirty_since_ms": %d, "clean": true,
        "accepted_ms": %d}}""";

  private Specs() {}

  public static String json() {
    return json("store");
  }

  public static String json(String from) {
    return json(from, Epoch.GENESIS, 0, Age.NEVER);
  }

  public static String json(String from, Epoch start, long dirtySinceMs, long acceptedMs) {
    return SPEC.formatted(
        DEPLOYMENT, LAYOUT, from, start.attempt(), start.checkpointId(), dirtySinceMs, acceptedMs);
  }

  /** The checkpointing that the kernel wants. */
  public static Configuration checkpointing() {
    Configuration config = new Configuration();
    config.setString("execution.checkpointing.interval", "5 s");
    config.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    return config;
  }
}
