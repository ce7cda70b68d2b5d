package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.job.JobSpec;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.data.RowData;

/** Attaches the beginning of the graph: Kafka and the {@link IntakeOperator}. */
public final class Intake {
  /** Uid of the Kafka source; its state holds the offsets. */
  public static final String SOURCE_UID = "source";

  /** Uid of the intake operator. */
  public static final String UID = "intake";

  private static final String DISCOVERY_MS = "60000";

  private Intake() {}

  /**
   * Begins the graph.
   *
   * @param specJson the job spec
   * @return the events that parse, as {@link EventRows} says
   */
  public static DataStream<RowData> attach(StreamExecutionEnvironment env, String specJson) {
    JobSpec spec = JobSpec.parse(specJson);
    SourceSchema schema = SourceSchema.fromJson(spec.source());
    return env.fromSource(source(spec), WatermarkStrategy.noWatermarks(), "source")
        .uid(SOURCE_UID)
        .transform(
            "intake",
            EventRows.type(schema),
            new IntakeOperator(specJson, JobSpec::openPorts, EndOffsets::kafka, DeadLetters::kafka))
        .uid(UID);
  }

  /** Its consumer group is for monitoring alone; the offsets that count are in the state. */
  private static KafkaSource<RowData> source(JobSpec spec) {
    return KafkaSource.<RowData>builder()
        .setProperties(properties(spec))
        .setBootstrapServers(spec.kafka().bootstrap())
        .setGroupId("fp-" + spec.featureset() + "-" + spec.deployment())
        .setTopics(spec.topic())
        .setStartingOffsets(new StartOffsets(spec.start().offsets()))
        .setDeserializer(new RawRecords())
        .setProperty("partition.discovery.interval.ms", DISCOVERY_MS)
        .build();
  }

  /** Returns what every client of Kafka is configured with. */
  static Properties properties(JobSpec spec) {
    Properties properties = new Properties();
    properties.putAll(spec.kafka().properties());
    return properties;
  }
}
