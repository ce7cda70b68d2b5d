package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.event.EventParser;
import io.featureplatform.kernel.event.SourceSchema;
import java.time.LocalDate;
import java.util.Iterator;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Kafka's records as the event log keeps them: the raw bytes, and what the parser says of them.
 *
 * <p>The log belongs to no feature set, so an event without an entity is as good as any other: the
 * parser is given the event time as its entity.
 */
public final class LogRecords implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1L;

  private static final int KEY = 0;
  private static final int VALUE = 1;
  private static final int PARTITION = 2;
  private static final int OFFSET = 3;
  private static final int TIMESTAMP = 4;

  private static final long DAY_MS = 86_400_000L;
  private static final long LAST_DAY = EventParser.LAST_TIME_MS / DAY_MS;

  private static final StructType TYPE =
      new StructType()
          .add("key", DataTypes.BinaryType)
          .add("value", DataTypes.BinaryType)
          .add("partition", DataTypes.IntegerType, false)
          .add("offset", DataTypes.LongType, false)
          .add("timestamp", DataTypes.LongType, false)
          .add("event_time", DataTypes.LongType)
          .add("reason", DataTypes.StringType)
          .add("date", DataTypes.StringType, false);

  private final String sourceJson;

  private LogRecords(String sourceJson) {
    this.sourceJson = sourceJson;
  }

  /**
   * Adds to each record its event time, or the reason why it has none, and the date of its folder.
   *
   * @param records key, value, partition, offset and timestamp (epoch milliseconds), in this order
   * @param sourceJson the source as the job spec has it
   */
  public static Dataset<Row> describe(Dataset<Row> records, String sourceJson) {
    return records.mapPartitions(new LogRecords(sourceJson), Encoders.row(TYPE));
  }

  @Override
  public Iterator<Row> call(Iterator<Row> records) {
    SourceSchema schema = SourceSchema.fromJson(sourceJson);
    EventParser parser = new EventParser(schema, schema.eventTime());
    Object[] values = new Object[schema.columns().size()];
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return records.hasNext();
      }

      @Override
      public Row next() {
        return described(records.next(), parser, values);
      }
    };
  }

  /** Hot path. */
  private static Row described(Row record, EventParser parser, Object[] values) {
    byte[] value = record.isNullAt(VALUE) ? null : (byte[]) record.get(VALUE);
    long timestampMs = record.getLong(TIMESTAMP);
    boolean good = parser.parse(value, timestampMs, values);
    return RowFactory.create(
        record.get(KEY),
        value,
        record.getInt(PARTITION),
        record.getLong(OFFSET),
        timestampMs,
        good ? parser.eventTimeMs() : null,
        good ? null : parser.reason().code(),
        date(good ? parser.eventTimeMs() : timestampMs));
  }

  /** Returns the UTC date, the nearest there is of four digits: it names a folder. */
  static String date(long timeMs) {
    long day = Math.floorDiv(timeMs, DAY_MS);
    return LocalDate.ofEpochDay(Math.min(Math.max(day, 0), LAST_DAY)).toString();
  }
}
