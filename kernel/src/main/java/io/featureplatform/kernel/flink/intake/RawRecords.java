package io.featureplatform.kernel.flink.intake;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.util.Collector;

/** Kafka records as they come, nothing parsed: key, value, partition, offset, timestamp. */
final class RawRecords implements KafkaRecordDeserializationSchema<RowData> {
  private static final long serialVersionUID = 1L;

  static final int KEY = 0;
  static final int VALUE = 1;
  static final int PARTITION = 2;
  static final int OFFSET = 3;
  static final int TIMESTAMP = 4;

  static final InternalTypeInfo<RowData> TYPE =
      InternalTypeInfo.ofFields(
          new VarBinaryType(VarBinaryType.MAX_LENGTH),
          new VarBinaryType(VarBinaryType.MAX_LENGTH),
          new IntType(),
          new BigIntType(),
          new BigIntType());

  @Override
  public void deserialize(ConsumerRecord<byte[], byte[]> message, Collector<RowData> out) {
    out.collect(
        GenericRowData.of(
            message.key(),
            message.value(),
            message.partition(),
            message.offset(),
            message.timestamp()));
  }

  @Override
  public TypeInformation<RowData> getProducedType() {
    return TYPE;
  }

  static byte[] bytes(RowData record, int field) {
    return record.isNullAt(field) ? null : record.getBinary(field);
  }
}
