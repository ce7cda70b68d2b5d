package io.featureplatform.kernel.row;

import com.google.protobuf.ByteString;
import io.featureplatform.kernel.row.proto.FeatureValue;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** The obvious form of FIRST, LAST and LAST_N: sort everything, keep some, let protobuf encode. */
public final class NaiveFeature {
  private NaiveFeature() {}

  static List<Item> keep(List<Item> items, FeatureMode mode, int n) {
    TreeSet<Item> sorted = new TreeSet<>(Item.BY_KEY);
    sorted.addAll(items);
    List<Item> newestFirst = new ArrayList<>(sorted.descendingSet());
    return switch (mode) {
      case FIRST -> newestFirst.subList(Math.max(0, newestFirst.size() - 1), newestFirst.size());
      case LAST -> newestFirst.subList(0, Math.min(1, newestFirst.size()));
      case LAST_N -> newestFirst.subList(0, Math.min(n, newestFirst.size()));
    };
  }

  static FeatureValue message(List<Item> newestFirst) {
    FeatureValue.Builder builder = FeatureValue.newBuilder();
    long timeMs = 0;
    long offset = 0;
    for (Item item : newestFirst) {
      builder.addTimesMs(item.timeMs() - timeMs);
      builder.addPartitions(item.partition());
      builder.addOffsets(item.offset() - offset);
      timeMs = item.timeMs();
      offset = item.offset();
      if (item.value() instanceof Long integer) {
        builder.addIntegers(integer);
      } else if (item.value() instanceof Double real) {
        builder.addReals(real);
      } else {
        builder.addTexts(ByteString.copyFrom(item.value().toString(), StandardCharsets.UTF_8));
      }
    }
    return builder.build();
  }

  /** Returns the canonical bytes of what is kept; null if that is nothing. */
  static byte[] encode(List<Item> items, FeatureMode mode, int n) {
    List<Item> kept = keep(items, mode, n);
    return kept.isEmpty() ? null : message(kept).toByteArray();
  }

  static FeatureAccumulator accumulate(List<Item> items, FeatureMode mode, int n) {
    FeatureAccumulator accumulator = new FeatureAccumulator(mode, n);
    for (Item item : items) {
      if (item.value() instanceof Long integer) {
        accumulator.addInt(integer, item.timeMs(), item.partition(), item.offset());
      } else if (item.value() instanceof Double real) {
        accumulator.addReal(real, item.timeMs(), item.partition(), item.offset());
      } else {
        byte[] text = item.value().toString().getBytes(StandardCharsets.UTF_8);
        accumulator.addText(text, item.timeMs(), item.partition(), item.offset());
      }
    }
    return accumulator;
  }
}
