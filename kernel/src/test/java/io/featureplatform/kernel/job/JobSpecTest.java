package io.featureplatform.kernel.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.cql.StoreTls;
import io.featureplatform.kernel.tile.Layout;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The deployer's tests write the golden file, in which nothing is as it is by default. */
class JobSpecTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("golden.directory", "../tests/golden"), "job_spec.json");

  private final String text = Files.readString(GOLDEN);
  private final JobSpec spec = JobSpec.parse(text);

  JobSpecTest() throws IOException {}

  /** Where the job is, and whose. */
  @Test
  void readsTheJob() {
    assertEquals("posts", spec.featureset());
    assertEquals(3, spec.generation());
    assertEquals("d".repeat(32), spec.deployment());
    assertEquals("post_id", spec.entity());
    assertEquals("post_events", spec.topic());
    assertEquals("post_events.dead_letters", spec.deadLetterTopic());
    assertTrue(spec.benchWithoutUndo());
    assertEquals("kafka:9094", spec.kafka().bootstrap());
    assertEquals(Map.of("security.protocol", "PLAINTEXT"), spec.kafka().properties());
  }

  /** Source and layout are read by their own packages. */
  @Test
  void readsSourceAndLayout() {
    SourceSchema source = SourceSchema.fromJson(spec.source());
    assertEquals(3, source.columns().size());
    assertEquals(1, source.sums().size());
    Layout layout = Layout.fromJson(spec.layout());
    assertEquals(2, layout.lifetimeLevel());
  }

  @Test
  void readsTheSettings() {
    JobSpec.Settings expected =
        new JobSpec.Settings(1_001, 100_001, 7_200_001, 513, 514, 600_002, 43_200_001L, 33, 21L);
    assertEquals(expected, spec.settings());
    assertEquals(513, spec.settings().readLimit().max());
    assertEquals(33, spec.settings().readLimit().current());
  }

  @Test
  void readsTheStore() {
    JobSpec.Store expected =
        new JobSpec.Store(
            List.of("one:9043", "two:9043"),
            "dc1",
            "fp2",
            "tiles_posts_g3",
            "fp_job",
            "FP_JOB_PASSWORD",
            new StoreTls("/ca.pem", "/certificate.pem", "/key.pem", true));
    assertEquals(expected, spec.store());
  }

  @Test
  void readsTheStart() {
    JobSpec.Start expected =
        new JobSpec.Start(
            "store",
            Map.of("post_events/0", 5L),
            4,
            17L,
            2,
            16L,
            1_700_000_000_001L,
            true,
            1_700_000_000_002L,
            Map.of("not_json", 6L));
    assertEquals(expected, spec.start());
    assertEquals(new Epoch(4, 17), spec.start().named());
    assertEquals(new Epoch(4, 17), spec.start().after(new Epoch(2, 16)));
    assertEquals(new Epoch(2, 15), spec.start().after(new Epoch(2, 15)));
  }

  /** A name that the deployer writes otherwise would be taken for one that is left out. */
  @Test
  void everyNameThatIsReadIsWritten() throws IOException {
    JsonNode json = new ObjectMapper().readTree(text);
    check(JobSpec.class, json);
    check(JobSpec.Settings.class, json.get("settings"));
    check(JobSpec.Kafka.class, json.get("kafka"));
    check(JobSpec.Store.class, json.get("store"));
    check(JobSpec.Start.class, json.get("start"));
  }

  private static void check(Class<? extends Record> type, JsonNode json) {
    for (RecordComponent component : type.getRecordComponents()) {
      JsonProperty given = component.getAccessor().getAnnotation(JsonProperty.class);
      String plain = component.getName().replaceAll("([A-Z])", "_$1").toLowerCase();
      String name = given == null ? plain : given.value();
      assertTrue(json.has(name), () -> type.getSimpleName() + " has no " + name);
    }
  }
}
