package io.featureplatform.kernel.row;

import java.util.Arrays;

/**
 * Partials of FIRST, LAST and LAST_N as bytes: {@code FeatureValue} of row.proto.
 *
 * <p>{@link #merge} is associative, commutative and idempotent over items with the key (time,
 * partition, offset), and its result canonical: tiles may be merged in any order and grouping.
 */
public final class FeatureValues {
  private FeatureValues() {}

  /**
   * Merges two partials of one feature.
   *
   * @param left canonical bytes, or null for no item
   * @param right canonical bytes, or null for no item
   * @param n how many items LAST_N keeps; ignored for the others
   * @return canonical bytes, possibly one of the arguments itself; null if both were null
   * @throws RowFormatException if the bytes are no partials of one feature
   */
  public static byte[] merge(byte[] left, byte[] right, FeatureMode mode, int n) {
    if (left == null || right == null) {
      return left == null ? right : left;
    }
    if (Arrays.equals(left, right)) {
      return left;
    }
    if (mode != FeatureMode.LAST_N) {
      int order = FeatureItems.compareNewest(left, right);
      if (order != 0) {
        return (order > 0) == (mode == FeatureMode.LAST) ? left : right;
      }
    }
    int limit = mode == FeatureMode.LAST_N ? n : 1;
    return FeatureItems.decode(left).merge(FeatureItems.decode(right), limit).encode();
  }

  /** Returns the partial of one value of carrier int. */
  public static byte[] ofInt(long value, long timeMs, int partition, long offset) {
    long[] numbers = {value};
    return one(Carrier.INT, timeMs, partition, offset, numbers, null);
  }

  /** Returns the partial of one value of carrier real. */
  public static byte[] ofReal(double value, long timeMs, int partition, long offset) {
    long[] numbers = {Double.doubleToLongBits(value)};
    return one(Carrier.REAL, timeMs, partition, offset, numbers, null);
  }

  /** Returns the partial of one value of carrier text, given as UTF-8. */
  public static byte[] ofText(byte[] value, long timeMs, int partition, long offset) {
    byte[][] texts = {value};
    return one(Carrier.TEXT, timeMs, partition, offset, null, texts);
  }

  private static byte[] one(
      Carrier carrier, long timeMs, int partition, long offset, long[] numbers, byte[][] texts) {
    long[] times = {timeMs};
    int[] partitions = {partition};
    long[] offsets = {offset};
    return new FeatureItems(carrier, times, partitions, offsets, numbers, texts).encode();
  }
}
