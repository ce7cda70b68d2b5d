package io.featureplatform.kernel.flink;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.featureplatform.kernel.event.Reason;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Headers;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.OutputTag;

/**
 * Events that are refused, as records of the dead letter topic: the original key and value, and
 * headers that say why and where they stood.
 */
final class DeadLetters implements KafkaRecordSerializationSchema<RowData> {
  private static final long serialVersionUID = 1L;

  private static final int REASON = 5;
  private static final int DETAIL = 6;

  /** A raw record, then reason and detail. */
  static final InternalTypeInfo<RowData> TYPE =
      InternalTypeInfo.ofFields(
          new VarBinaryType(VarBinaryType.MAX_LENGTH),
          new VarBinaryType(VarBinaryType.MAX_LENGTH),
          new IntType(),
          new BigIntType(),
          new BigIntType(),
          new VarCharType(VarCharType.MAX_LENGTH),
          new VarCharType(VarCharType.MAX_LENGTH));

  static final OutputTag<RowData> TAG = new OutputTag<>("dead-letters", TYPE);

  private final String featureset;
  private final String sourceTopic;
  private final String topic;

  DeadLetters(String featureset, String sourceTopic, String topic) {
    this.featureset = featureset;
    this.sourceTopic = sourceTopic;
    this.topic = topic;
  }

  /** Makes the letter of a raw record. */
  static RowData of(RowData raw, Reason reason, String detail) {
    return GenericRowData.of(
        RawRecords.bytes(raw, RawRecords.KEY),
        RawRecords.bytes(raw, RawRecords.VALUE),
        raw.getInt(RawRecords.PARTITION),
        raw.getLong(RawRecords.OFFSET),
        raw.getLong(RawRecords.TIMESTAMP),
        StringData.fromString(reason.code()),
        StringData.fromString(detail));
  }

  @Override
  public ProducerRecord<byte[], byte[]> serialize(
      RowData letter, KafkaSinkContext context, Long timestamp) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(
            topic,
            RawRecords.bytes(letter, RawRecords.KEY),
            RawRecords.bytes(letter, RawRecords.VALUE));
    Headers headers = record.headers();
    add(headers, "reason", letter.getString(REASON).toString());
    add(headers, "detail", letter.getString(DETAIL).toString());
    add(headers, "featureset", featureset);
    add(headers, "source_topic", sourceTopic);
    add(headers, "partition", Integer.toString(letter.getInt(RawRecords.PARTITION)));
    add(headers, "offset", Long.toString(letter.getLong(RawRecords.OFFSET)));
    add(headers, "record_timestamp", Long.toString(letter.getLong(RawRecords.TIMESTAMP)));
    return record;
  }

  private static void add(Headers headers, String name, String value) {
    headers.add(name, value.getBytes(UTF_8));
  }
}
