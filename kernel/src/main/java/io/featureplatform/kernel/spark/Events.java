package io.featureplatform.kernel.spark;

import static org.apache.spark.sql.functions.col;

import io.featureplatform.kernel.event.EventParser;
import io.featureplatform.kernel.event.SourceColumn;
import io.featureplatform.kernel.event.SourceSchema;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Raw records as the SQL sees them: the source's columns, then {@code __ts}, {@code __partition}
 * and {@code __offset}. What does not parse is left out: the job has made a dead letter of it.
 */
public final class Events {
  private static final List<String> HIDDEN = List.of("__ts", "__partition", "__offset");

  private Events() {}

  /**
   * Parses records with the parser of the job's intake.
   *
   * @param records {@code value} BINARY, {@code partition} INT, {@code offset} BIGINT and {@code
   *     timestamp} BIGINT in epoch milliseconds; other columns are not looked at
   * @param specJson the job spec
   */
  public static Dataset<Row> parse(Dataset<Row> records, String specJson) {
    BackfillSpec spec = BackfillSpec.parse(specJson);
    SourceSchema schema = spec.source();
    String entity = spec.entity();
    MapPartitionsFunction<Row, Row> parse =
        rows -> new Parsed(rows, new EventParser(schema, entity), schema.columns().size());
    return records
        .select("value", "partition", "offset", "timestamp")
        .mapPartitions(parse, Encoders.row(carried(schema)))
        .select(columns(schema));
  }

  /** Returns the rows that leave the parser, with text as the bytes it is. */
  private static StructType carried(SourceSchema schema) {
    StructType type = new StructType();
    for (SourceColumn column : schema.columns()) {
      type = type.add(column.name(), carried(column), true);
    }
    return type.add(HIDDEN.get(0), DataTypes.LongType, false)
        .add(HIDDEN.get(1), DataTypes.IntegerType, false)
        .add(HIDDEN.get(2), DataTypes.LongType, false);
  }

  private static DataType carried(SourceColumn column) {
    return switch (column.type()) {
      case BIGINT, TIMESTAMP -> DataTypes.LongType;
      case INT -> DataTypes.IntegerType;
      case DOUBLE -> DataTypes.DoubleType;
      case DECIMAL -> DataTypes.createDecimalType(column.precision(), column.scale());
      case STRING -> DataTypes.BinaryType;
      case BOOLEAN -> DataTypes.BooleanType;
    };
  }

  /** Makes STRING of text: the parser has seen that it is UTF-8, so no byte is looked at again. */
  private static Column[] columns(SourceSchema schema) {
    List<Column> columns = new ArrayList<>();
    for (SourceColumn column : schema.columns()) {
      Column carried = col("`" + column.name() + "`");
      columns.add(
          switch (column.type()) {
            case STRING -> carried.cast(DataTypes.StringType).as(column.name());
            case BIGINT, INT, DOUBLE, DECIMAL, BOOLEAN, TIMESTAMP -> carried;
          });
    }
    HIDDEN.forEach(name -> columns.add(col(name)));
    return columns.toArray(Column[]::new);
  }

  /** The events among the records; hot path. */
  private static final class Parsed implements Iterator<Row> {
    private final Iterator<Row> records;
    private final EventParser parser;
    private final int width;
    private Row next;

    Parsed(Iterator<Row> records, EventParser parser, int width) {
      this.records = records;
      this.parser = parser;
      this.width = width;
    }

    @Override
    public boolean hasNext() {
      while (next == null && records.hasNext()) {
        next = parse(records.next());
      }
      return next != null;
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Row row = next;
      next = null;
      return row;
    }

    private Row parse(Row raw) {
      Object[] values = new Object[width + HIDDEN.size()];
      if (!parser.parse((byte[]) raw.get(0), raw.getLong(3), values)) {
        return null;
      }
      values[width] = parser.eventTimeMs();
      values[width + 1] = raw.get(1);
      values[width + 2] = raw.get(2);
      return RowFactory.create(values);
    }
  }
}
