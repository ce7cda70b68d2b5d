package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.event.EventParser;
import io.featureplatform.kernel.event.Reason;
import io.featureplatform.kernel.event.SourceSchema;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Rows of a table as the event log keeps records: the JSON that the topic would have had, and what
 * the parser says of it.
 *
 * <p>A row has no record's timestamp: its event time stands for it, as if it had been sent at once.
 * One that has no event time is kept at 1970-01-01 with the reason; no feature set counts it. One
 * of which another column does not fit is kept with the reason, too: a feature set that does not
 * read that column counts it, as it would from the topic.
 */
public final class HistoryRecords implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1L;

  private static final int VALUE = 0;
  private static final int OFFSET = 1;
  private static final int PROBLEM = 2;

  private static final String BAD_ROW = "bad_row";
  private static final byte NO_UTF8 = (byte) 0xFF;

  private static final StructType TYPE =
      new StructType()
          .add("key", DataTypes.BinaryType)
          .add("value", DataTypes.BinaryType)
          .add("partition", DataTypes.IntegerType, false)
          .add("offset", DataTypes.LongType, false)
          .add("timestamp", DataTypes.LongType, false)
          .add("event_time", DataTypes.LongType)
          .add("reason", DataTypes.StringType)
          .add("detail", DataTypes.StringType)
          .add("date", DataTypes.StringType, false);

  private final String timingJson;
  private final String wholeJson;
  private final long untilMs;

  private HistoryRecords(String timingJson, String wholeJson, long untilMs) {
    this.timingJson = timingJson;
    this.wholeJson = wholeJson;
    this.untilMs = untilMs;
  }

  /**
   * Adds to each row what a record has; rows from the seam on are left out: the topic has them.
   *
   * @param rows value BINARY, offset BIGINT, and problem STRING: why a row is none, in this order
   * @param timingJson the source with its event time alone, whose bounds let every time pass
   * @param wholeJson the same with all columns that the table has
   * @param untilMs the seam
   */
  public static Dataset<Row> describe(
      Dataset<Row> rows, String timingJson, String wholeJson, long untilMs) {
    return rows.mapPartitions(
        new HistoryRecords(timingJson, wholeJson, untilMs), Encoders.row(TYPE));
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    SourceSchema timing = SourceSchema.fromJson(timingJson);
    SourceSchema whole = SourceSchema.fromJson(wholeJson);
    int columns = whole.columns().size();
    return new Described(rows, parser(timing), parser(whole), columns, untilMs);
  }

  private static EventParser parser(SourceSchema schema) {
    return new EventParser(schema, schema.eventTime());
  }

  /** The rows before the seam. Hot path. */
  private static final class Described implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final EventParser timing;
    private final EventParser whole;
    private final Object[] values;
    private final long untilMs;
    private Row next;

    Described(
        Iterator<Row> rows, EventParser timing, EventParser whole, int columns, long untilMs) {
      this.rows = rows;
      this.values = new Object[columns];
      this.timing = timing;
      this.whole = whole;
      this.untilMs = untilMs;
    }

    @Override
    public boolean hasNext() {
      while (next == null && rows.hasNext()) {
        next = described(rows.next());
      }
      return next != null;
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Row found = next;
      next = null;
      return found;
    }

    private Row described(Row row) {
      byte[] value = (byte[]) row.get(VALUE);
      if (!row.isNullAt(PROBLEM)) {
        return record(noEvent(value), row, null, BAD_ROW, row.getString(PROBLEM));
      }
      if (!timing.parse(value, 0, values)) {
        boolean isMissing = timing.reason() == Reason.MISSING_ENTITY; // the time is its entity
        Reason reason = isMissing ? Reason.MISSING_EVENT_TIME : timing.reason();
        return record(value, row, null, reason.code(), timing.detail());
      }
      long timeMs = timing.eventTimeMs();
      if (timeMs >= untilMs) {
        return null;
      }
      return whole.parse(value, timeMs, values)
          ? record(value, row, timeMs, null, null)
          : record(value, row, timeMs, whole.reason().code(), whole.detail());
    }

    /** Marks what can be read of a row so that no parser takes it for an event: as no UTF-8. */
    private static byte[] noEvent(byte[] value) {
      byte[] marked = new byte[value.length + 1];
      marked[0] = NO_UTF8;
      System.arraycopy(value, 0, marked, 1, value.length);
      return marked;
    }

    private static Row record(byte[] value, Row row, Long timeMs, String reason, String detail) {
      long timestampMs = timeMs == null ? 0 : timeMs;
      return RowFactory.create(
          null,
          value,
          SourceSchema.HISTORY_PARTITION,
          row.getLong(OFFSET),
          timestampMs,
          timeMs,
          reason,
          detail,
          LogRecords.date(timestampMs));
    }
  }
}
