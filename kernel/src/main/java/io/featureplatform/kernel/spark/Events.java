package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.event.EventParser;
import io.featureplatform.kernel.event.SourceColumn;
import io.featureplatform.kernel.event.SourceSchema;
import java.math.BigDecimal;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Raw records as the SQL sees them: the source's columns, then {@code __ts}, {@code __partition},
 * {@code __offset} and {@code __appended}, the record's timestamp. What does not parse is left out:
 * the job has made a dead letter of it. So is what the other side of the seam between history and
 * topic has.
 */
public final class Events {
  private Events() {}

  /**
   * Parses records with the parser of the job's intake.
   *
   * @param records {@code value} BINARY, {@code partition} INT, {@code offset} BIGINT and {@code
   *     timestamp} BIGINT in epoch milliseconds, {@code readable} BOOLEAN: whether it was an event
   *     before; other columns are not looked at
   * @param specJson the job spec
   * @param strict whether the task fails if what was readable is not any more, because the source
   *     has changed
   */
  public static Dataset<Row> parse(Dataset<Row> records, String specJson, boolean strict) {
    Definition spec = Definition.parse(specJson);
    SourceSchema schema = spec.source();
    String entity = spec.entity();
    JavaRDD<InternalRow> events =
        InternalRows.of(records.select("value", "partition", "offset", "timestamp", "readable"))
            .mapPartitions(
                rows -> new Parsed(rows, new EventParser(schema, entity), schema, strict));
    return InternalRows.dataset(records, events, type(schema));
  }

  private static StructType type(SourceSchema schema) {
    StructType type = new StructType();
    for (SourceColumn column : schema.columns()) {
      type = type.add(column.name(), type(column), true);
    }
    return type.add("__ts", DataTypes.LongType, false)
        .add("__partition", DataTypes.IntegerType, false)
        .add("__offset", DataTypes.LongType, false)
        .add("__appended", DataTypes.LongType, false);
  }

  private static DataType type(SourceColumn column) {
    return switch (column.type()) {
      case BIGINT, TIMESTAMP -> DataTypes.LongType;
      case INT -> DataTypes.IntegerType;
      case DOUBLE -> DataTypes.DoubleType;
      case DECIMAL -> DataTypes.createDecimalType(column.precision(), column.scale());
      case STRING -> DataTypes.StringType;
      case BOOLEAN -> DataTypes.BooleanType;
    };
  }

  /** The events among the records; the row that it returns is used again for the next. Hot path. */
  private static final class Parsed implements Iterator<InternalRow> {
    private final Iterator<InternalRow> records;
    private final EventParser parser;
    private final SourceSchema schema;
    private final SourceColumn[] columns;
    private final Object[] values;
    private final InternalRow row;
    private final boolean strict;
    private boolean ready;

    Parsed(Iterator<InternalRow> records, EventParser parser, SourceSchema schema, boolean strict) {
      this.strict = strict;
      this.records = records;
      this.schema = schema;
      this.parser = parser;
      this.columns = schema.columns().toArray(SourceColumn[]::new);
      this.values = new Object[columns.length + 4];
      this.row = new GenericInternalRow(values);
    }

    @Override
    public boolean hasNext() {
      while (!ready && records.hasNext()) {
        ready = parse(records.next());
      }
      return ready;
    }

    @Override
    public InternalRow next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      ready = false;
      return row;
    }

    private boolean parse(InternalRow raw) {
      byte[] value = raw.isNullAt(0) ? null : raw.getBinary(0);
      if (!parser.parse(value, raw.getLong(3), values)) {
        if (strict && raw.getBoolean(4) && !parser.reason().isOfFeatureSet()) {
          throw changed(raw);
        }
        return false;
      }
      if (!schema.counts(raw.getInt(1), parser.eventTimeMs())) {
        return false;
      }
      for (int i = 0; i < columns.length; i++) {
        values[i] = internal(columns[i], values[i]);
      }
      values[columns.length] = parser.eventTimeMs();
      values[columns.length + 1] = raw.getInt(1);
      values[columns.length + 2] = raw.getLong(2);
      values[columns.length + 3] = raw.getLong(3);
      return true;
    }

    private IllegalStateException changed(InternalRow raw) {
      return new IllegalStateException(
          ("offset %d of partition %d was readable before, but not with the current source"
                  + " definition (%s, %s); correct the source, or leave such events out with"
                  + " --accept-differences")
              .formatted(raw.getLong(2), raw.getInt(1), parser.reason().code(), parser.detail()));
    }

    /** Returns what Spark holds; text is the bytes it is, which the parser has seen to be UTF-8. */
    private static Object internal(SourceColumn column, Object value) {
      if (value == null) {
        return null;
      }
      return switch (column.type()) {
        case STRING -> UTF8String.fromBytes((byte[]) value);
        case DECIMAL -> Decimal.apply((BigDecimal) value, column.precision(), column.scale());
        case BIGINT, INT, DOUBLE, BOOLEAN, TIMESTAMP -> value;
      };
    }
  }
}
