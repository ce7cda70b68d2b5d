package io.featureplatform.kernel.row;

import static io.featureplatform.kernel.row.WireWriter.delimitedSize;
import static io.featureplatform.kernel.row.WireWriter.varintSize;
import static io.featureplatform.kernel.row.WireWriter.zigzag;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A decoded {@code FeatureValue}: items newest first, their keys strictly descending.
 *
 * @param numbers values of carrier int, or the bits of those of carrier real; else null
 * @param texts values of carrier text; else null
 */
@SuppressWarnings("ArrayRecordComponent")
record FeatureItems(
    Carrier carrier,
    long[] timesMs,
    int[] partitions,
    long[] offsets,
    long[] numbers,
    byte[][] texts) {
  static final int TIMES = 0x0A;
  static final int PARTITIONS = 0x12;
  static final int OFFSETS = 0x1A;
  static final int INTEGERS = 0x22;
  static final int REALS = 0x2A;
  static final int TEXTS = 0x32;

  int size() {
    return timesMs.length;
  }

  byte[] encode() {
    int times = differencesSize(timesMs);
    int parts = partitionsSize();
    int ordinals = differencesSize(offsets);
    int keys = 3 + delimitedSize(times) + delimitedSize(parts) + delimitedSize(ordinals);
    WireWriter writer = new WireWriter(keys + valuesSize());
    writer.tag(TIMES);
    writer.varint(times);
    writeDifferences(writer, timesMs);
    writer.tag(PARTITIONS);
    writer.varint(parts);
    for (int partition : partitions) {
      writer.varint(partition);
    }
    writer.tag(OFFSETS);
    writer.varint(ordinals);
    writeDifferences(writer, offsets);
    writeValues(writer);
    return writer.finish();
  }

  /** Returns the newest items of both, up to a limit; of two under one key the greater. */
  FeatureItems merge(FeatureItems other, int limit) {
    if (carrier != other.carrier) {
      throw new RowFormatException("a feature holds " + carrier + " and " + other.carrier);
    }
    FeatureItems merged = allocate(carrier, Math.min(limit, size() + other.size()));
    int mine = 0;
    int theirs = 0;
    int count = 0;
    while (count < merged.size() && (mine < size() || theirs < other.size())) {
      int order = compare(mine, other, theirs);
      if (order == 0) {
        order = compareValues(mine, other, theirs) < 0 ? -1 : 1;
        mine += order < 0 ? 1 : 0;
        theirs += order > 0 ? 1 : 0;
      }
      if (order > 0) {
        merged.set(count++, this, mine++);
      } else {
        merged.set(count++, other, theirs++);
      }
    }
    return count == merged.size() ? merged : merged.first(count);
  }

  /**
   * Returns the place of a value among all of its carrier: the greater of two under one key wins.
   */
  static int compareValues(Carrier carrier, long number, byte[] text, long number2, byte[] text2) {
    return switch (carrier) {
      case INT -> Long.compare(number, number2);
      case REAL ->
          Double.compare(Double.longBitsToDouble(number), Double.longBitsToDouble(number2));
      case TEXT -> Arrays.compareUnsigned(text, text2);
    };
  }

  private static FeatureItems allocate(Carrier carrier, int size) {
    boolean text = carrier == Carrier.TEXT;
    return new FeatureItems(
        carrier,
        new long[size],
        new int[size],
        new long[size],
        text ? null : new long[size],
        text ? new byte[size][] : null);
  }

  private void set(int index, FeatureItems from, int at) {
    timesMs[index] = from.timesMs[at];
    partitions[index] = from.partitions[at];
    offsets[index] = from.offsets[at];
    if (texts == null) {
      numbers[index] = from.numbers[at];
    } else {
      texts[index] = from.texts[at];
    }
  }

  private FeatureItems first(int count) {
    return new FeatureItems(
        carrier,
        Arrays.copyOf(timesMs, count),
        Arrays.copyOf(partitions, count),
        Arrays.copyOf(offsets, count),
        numbers == null ? null : Arrays.copyOf(numbers, count),
        texts == null ? null : Arrays.copyOf(texts, count));
  }

  /** Compares two items by their keys; one past the end is smaller than any. */
  private int compare(int mine, FeatureItems other, int theirs) {
    if (mine == size() || theirs == other.size()) {
      return mine == size() ? -1 : 1;
    }
    int order = Long.compare(timesMs[mine], other.timesMs[theirs]);
    if (order == 0) {
      order = Integer.compare(partitions[mine], other.partitions[theirs]);
    }
    return order == 0 ? Long.compare(offsets[mine], other.offsets[theirs]) : order;
  }

  private int compareValues(int mine, FeatureItems other, int theirs) {
    return texts == null
        ? compareValues(carrier, numbers[mine], null, other.numbers[theirs], null)
        : compareValues(carrier, 0, texts[mine], 0, other.texts[theirs]);
  }

  /**
   * Reads a {@code FeatureValue}.
   *
   * @throws RowFormatException if its lists do not fit together
   */
  static FeatureItems decode(byte[] bytes) {
    WireReader reader = new WireReader(bytes);
    long[] timesMs = differences(list(reader, TIMES));
    int[] partitions = partitions(list(reader, PARTITIONS));
    long[] offsets = differences(list(reader, OFFSETS));
    int tag = reader.atEnd() ? 0 : reader.tag();
    FeatureItems items =
        switch (tag) {
          case INTEGERS ->
              new FeatureItems(
                  Carrier.INT, timesMs, partitions, offsets, integers(reader.slice()), null);
          case REALS ->
              new FeatureItems(
                  Carrier.REAL, timesMs, partitions, offsets, reals(reader.slice()), null);
          case TEXTS ->
              new FeatureItems(Carrier.TEXT, timesMs, partitions, offsets, null, texts(reader));
          default -> throw new RowFormatException("a feature's values have the tag " + tag);
        };
    items.check(reader);
    return items;
  }

  /** Compares the newest items of two values by their keys. */
  static int compareNewest(byte[] left, byte[] right) {
    WireReader a = new WireReader(left);
    WireReader b = new WireReader(right);
    int order = Long.compare(list(a, TIMES).zigzag(), list(b, TIMES).zigzag());
    if (order == 0) {
      order = Integer.compare(list(a, PARTITIONS).uint31(), list(b, PARTITIONS).uint31());
    }
    return order == 0 ? Long.compare(list(a, OFFSETS).zigzag(), list(b, OFFSETS).zigzag()) : order;
  }

  private void check(WireReader reader) {
    int values = carrier == Carrier.TEXT ? texts.length : numbers.length;
    boolean fits =
        reader.atEnd()
            && size() > 0
            && partitions.length == size()
            && offsets.length == size()
            && values == size();
    for (int i = 1; fits && i < size(); i++) {
      long order = Long.compare(timesMs[i - 1], timesMs[i]);
      if (order == 0) {
        order = Integer.compare(partitions[i - 1], partitions[i]);
      }
      fits = order > 0 || (order == 0 && offsets[i - 1] > offsets[i]);
    }
    if (!fits) {
      throw new RowFormatException("the lists of a feature's value have different lengths");
    }
  }

  private int partitionsSize() {
    int size = 0;
    for (int partition : partitions) {
      size += varintSize(partition);
    }
    return size;
  }

  private static int differencesSize(long[] values) {
    int size = 0;
    long before = 0;
    for (long value : values) {
      size += varintSize(zigzag(value - before));
      before = value;
    }
    return size;
  }

  private static void writeDifferences(WireWriter writer, long[] values) {
    long before = 0;
    for (long value : values) {
      writer.varint(zigzag(value - before));
      before = value;
    }
  }

  private int valuesSize() {
    int size = 0;
    switch (carrier) {
      case INT -> size = 1 + delimitedSize(integersSize());
      case REAL -> size = 1 + delimitedSize(numbers.length * Long.BYTES);
      case TEXT -> {
        for (byte[] text : texts) {
          size += 1 + delimitedSize(text.length);
        }
      }
    }
    return size;
  }

  private int integersSize() {
    int size = 0;
    for (long number : numbers) {
      size += varintSize(zigzag(number));
    }
    return size;
  }

  private void writeValues(WireWriter writer) {
    switch (carrier) {
      case INT -> {
        writer.tag(INTEGERS);
        writer.varint(integersSize());
        for (long number : numbers) {
          writer.varint(zigzag(number));
        }
      }
      case REAL -> {
        writer.tag(REALS);
        writer.varint(numbers.length * Long.BYTES);
        for (long number : numbers) {
          writer.fixed64(number);
        }
      }
      case TEXT -> {
        for (byte[] text : texts) {
          writer.tag(TEXTS);
          writer.delimited(text);
        }
      }
    }
  }

  private static WireReader list(WireReader reader, int tag) {
    int found = reader.atEnd() ? 0 : reader.tag();
    if (found != tag) {
      throw new RowFormatException("a feature's value has the tag " + found + " before " + tag);
    }
    return reader.slice();
  }

  private static long[] differences(WireReader reader) {
    long[] values = new long[reader.countVarints()];
    long before = 0;
    for (int i = 0; i < values.length; i++) {
      before += reader.zigzag();
      values[i] = before;
    }
    return values;
  }

  private static int[] partitions(WireReader reader) {
    int[] values = new int[reader.countVarints()];
    for (int i = 0; i < values.length; i++) {
      values[i] = reader.uint31();
    }
    return values;
  }

  private static long[] integers(WireReader reader) {
    long[] values = new long[reader.countVarints()];
    for (int i = 0; i < values.length; i++) {
      values[i] = reader.zigzag();
    }
    return values;
  }

  private static long[] reals(WireReader reader) {
    long[] values = new long[reader.remaining() / Long.BYTES];
    for (int i = 0; i < values.length; i++) {
      values[i] = reader.fixed64();
    }
    return values;
  }

  private static byte[][] texts(WireReader reader) {
    List<byte[]> texts = new ArrayList<>();
    texts.add(reader.delimited());
    while (!reader.atEnd()) {
      int tag = reader.tag();
      if (tag != TEXTS) {
        throw new RowFormatException("a feature's texts are followed by the tag " + tag);
      }
      texts.add(reader.delimited());
    }
    return texts.toArray(byte[][]::new);
  }
}
