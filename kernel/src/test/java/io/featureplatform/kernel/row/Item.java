package io.featureplatform.kernel.row;

import java.util.Comparator;

/** One item of a feature in the tests: a Long, Double or String under the key of its event. */
record Item(long timeMs, int partition, long offset, Object value) {
  static final Comparator<Item> BY_KEY =
      Comparator.comparingLong(Item::timeMs)
          .thenComparingInt(Item::partition)
          .thenComparingLong(Item::offset);
}
