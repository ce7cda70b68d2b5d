package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.tile.CommandValues;
import org.apache.flink.types.Row;

/** The partials of a changelog row, which follow its entity and tile. Mutable: one is reused. */
final class RowValues implements CommandValues {
  static final int ENTITY = 0;
  static final int TILE = 1;
  private static final int FIRST_PARTIAL = 2;

  private Row row;

  RowValues of(Row row) {
    this.row = row;
    return this;
  }

  @Override
  public boolean isNull(int column) {
    return row.getField(FIRST_PARTIAL + column) == null;
  }

  @Override
  public long int64(int column) {
    return (Long) row.getField(FIRST_PARTIAL + column);
  }

  @Override
  public byte[] bytes(int column) {
    return (byte[]) row.getField(FIRST_PARTIAL + column);
  }
}
