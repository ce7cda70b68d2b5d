package io.featureplatform.kernel.tile;

import java.util.List;

/**
 * One command of the tests.
 *
 * @param values for each column of the layout null, a Long, or {@code FeatureValue} bytes
 */
record Command(boolean plus, long tileStartMs, List<Object> values) implements CommandValues {
  @Override
  public boolean isNull(int column) {
    return values.get(column) == null;
  }

  @Override
  public long int64(int column) {
    return (Long) values.get(column);
  }

  @Override
  public byte[] bytes(int column) {
    return (byte[]) values.get(column);
  }
}
