package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.event.SourceSchema;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.data.RowData;

/** Attaches the beginning of the graph: Kafka, the {@link IntakeOperator} and the dead letters. */
public final class Intake {
  /** Uid of the Kafka source; its state holds the offsets. */
  public static final String SOURCE_UID = "source";

  /** Uid of the intake operator. */
  public static final String UID = "intake";

  /** Uid of the dead letters' sink. */
  public static final String DEAD_LETTERS_UID = "dead-letters";

  private static final String DISCOVERY_MS = "60000";
  private static final String LETTER_BYTES_MAX = "67108864";

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
    SingleOutputStreamOperator<RowData> events =
        env.fromSource(source(spec), WatermarkStrategy.noWatermarks(), "source")
            .uid(SOURCE_UID)
            .transform(
                "intake",
                EventRows.type(schema),
                new IntakeOperator(specJson, PortsFactory::cql, EndOffsets::kafka))
            .uid(UID);
    events
        .getSideOutput(DeadLetters.TAG)
        .sinkTo(deadLetters(spec))
        .name("dead-letters")
        .uid(DEAD_LETTERS_UID);
    return events;
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

  private static KafkaSink<RowData> deadLetters(JobSpec spec) {
    Properties producer = new Properties();
    // The brokers decide what is too large, and gzip brings headers and event below it.
    producer.setProperty("max.request.size", LETTER_BYTES_MAX);
    producer.setProperty("buffer.memory", LETTER_BYTES_MAX);
    producer.setProperty("compression.type", "gzip");
    producer.putAll(properties(spec));
    return KafkaSink.<RowData>builder()
        .setKafkaProducerConfig(producer)
        .setBootstrapServers(spec.kafka().bootstrap())
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .setRecordSerializer(
            new DeadLetters(spec.featureset(), spec.topic(), spec.deadLetterTopic()))
        .build();
  }

  private static Properties properties(JobSpec spec) {
    Properties properties = new Properties();
    properties.putAll(spec.kafka().properties());
    return properties;
  }
}
