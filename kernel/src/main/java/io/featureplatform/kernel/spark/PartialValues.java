package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.tile.CommandValues;
import org.apache.spark.sql.catalyst.InternalRow;

/** The partials of a row, which are its last columns. Mutable: one is reused for all rows. */
final class PartialValues implements CommandValues {
  private final int first;
  private InternalRow row;

  /** Takes no row yet; partials begin with this column. */
  PartialValues(int first) {
    this.first = first;
  }

  PartialValues of(InternalRow row) {
    this.row = row;
    return this;
  }

  @Override
  public boolean isNull(int column) {
    return row.isNullAt(first + column);
  }

  @Override
  public long int64(int column) {
    return row.getLong(first + column);
  }

  @Override
  public byte[] bytes(int column) {
    return row.getBinary(first + column);
  }
}
