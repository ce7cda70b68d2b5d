package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.event.SourceColumn;
import io.featureplatform.kernel.event.SourceSchema;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarCharType;

/**
 * Parsed events as the SQL sees them: the source's columns, then {@code __ts}, {@code __partition}
 * and {@code __offset}.
 */
final class EventRows {
  /** Makes Flink's form of a value that is not null. */
  @FunctionalInterface
  private interface Converter {
    Object convert(Object value);
  }

  private final Converter[] converters;

  EventRows(SourceSchema schema) {
    this.converters = schema.columns().stream().map(EventRows::converter).toArray(Converter[]::new);
  }

  /** Returns the type of the rows. */
  static InternalTypeInfo<RowData> type(SourceSchema schema) {
    List<LogicalType> types = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (SourceColumn column : schema.columns()) {
      types.add(type(column));
      names.add(column.name());
    }
    types.addAll(List.of(new BigIntType(false), new IntType(false), new BigIntType(false)));
    names.addAll(List.of("__ts", "__partition", "__offset"));
    return InternalTypeInfo.ofFields(
        types.toArray(LogicalType[]::new), names.toArray(String[]::new));
  }

  /** Makes the row of one event; hot path. */
  RowData row(Object[] values, long timeMs, int partition, long offset) {
    int width = converters.length;
    GenericRowData row = new GenericRowData(width + 3);
    for (int i = 0; i < width; i++) {
      Object value = values[i];
      row.setField(i, value == null ? null : converters[i].convert(value));
    }
    row.setField(width, timeMs);
    row.setField(width + 1, partition);
    row.setField(width + 2, offset);
    return row;
  }

  private static Converter converter(SourceColumn column) {
    return switch (column.type()) {
      case STRING -> value -> BinaryStringData.fromBytes((byte[]) value);
      case DECIMAL -> {
        int precision = column.precision();
        int scale = column.scale();
        yield value -> DecimalData.fromBigDecimal((BigDecimal) value, precision, scale);
      }
      case BIGINT, INT, DOUBLE, BOOLEAN, TIMESTAMP -> value -> value;
    };
  }

  private static LogicalType type(SourceColumn column) {
    return switch (column.type()) {
      case BIGINT, TIMESTAMP -> new BigIntType();
      case INT -> new IntType();
      case DOUBLE -> new DoubleType();
      case DECIMAL -> new DecimalType(column.precision(), column.scale());
      case STRING -> new VarCharType(VarCharType.MAX_LENGTH);
      case BOOLEAN -> new BooleanType();
    };
  }
}
