package io.featureplatform.kernel.row;

import java.util.Arrays;

/**
 * Collects the items of one FIRST, LAST or LAST_N feature and gives them as {@code FeatureValue}
 * bytes.
 *
 * <p>An item is a value under the key (time, partition, offset) of its event. The result depends on
 * the set of items alone: adding in any order, twice, or by parts that are merged gives the same
 * bytes. Should two values ever claim one key, the greater wins, so that even then the order of
 * arrival does not matter.
 *
 * <p>Items are kept ascending in [from, to) of primitive arrays with room for twice as many as are
 * kept, so a newer item is appended and the oldest dropped without moving the others.
 */
public final class FeatureAccumulator {
  /** How many bytes of UTF-8 are kept of a text; of a longer one the whole characters before. */
  public static final int TEXT_BYTES_MAX = 4096;

  private static final int INITIAL_CAPACITY = 4;

  private final FeatureMode mode;
  private final int limit;
  private Carrier carrier;
  private long[] timesMs = new long[INITIAL_CAPACITY];
  private int[] partitions = new int[INITIAL_CAPACITY];
  private long[] offsets = new long[INITIAL_CAPACITY];
  private long[] numbers;
  private byte[][] texts;
  private int from;
  private int to;

  /**
   * Makes an empty accumulator.
   *
   * @param mode which items are kept
   * @param n how many LAST_N keeps, at least 1; ignored for the others
   */
  public FeatureAccumulator(FeatureMode mode, int n) {
    if (mode == FeatureMode.LAST_N && n < 1) {
      throw new IllegalArgumentException("LAST_N keeps at least one item, not " + n);
    }
    this.mode = mode;
    this.limit = mode == FeatureMode.LAST_N ? n : 1;
  }

  /** Adds a value of carrier int. */
  public void addInt(long value, long timeMs, int partition, long offset) {
    add(Carrier.INT, value, null, timeMs, partition, offset);
  }

  /** Adds a value of carrier real. */
  public void addReal(double value, long timeMs, int partition, long offset) {
    add(Carrier.REAL, Double.doubleToLongBits(value), null, timeMs, partition, offset);
  }

  /**
   * Adds a value of carrier text, as UTF-8 that nobody changes later. A long one is cut here, by
   * its own length alone, so that what is kept does not depend on other items.
   */
  public void addText(byte[] value, long timeMs, int partition, long offset) {
    add(Carrier.TEXT, 0, cut(value), timeMs, partition, offset);
  }

  private static byte[] cut(byte[] text) {
    if (text.length <= TEXT_BYTES_MAX) {
      return text;
    }
    int end = TEXT_BYTES_MAX;
    while (end > 0 && (text[end] & 0xC0) == 0x80) { // in the midst of a character
      end--;
    }
    return Arrays.copyOf(text, end);
  }

  /**
   * Adds the items of another partial.
   *
   * @throws RowFormatException if the bytes are no {@code FeatureValue} of this feature's carrier
   */
  public void merge(byte[] partial) {
    FeatureItems items = FeatureItems.decode(partial);
    for (int i = items.size() - 1; i >= 0; i--) {
      long number = items.numbers() == null ? 0 : items.numbers()[i];
      byte[] text = items.texts() == null ? null : items.texts()[i];
      add(
          items.carrier(),
          number,
          text,
          items.timesMs()[i],
          items.partitions()[i],
          items.offsets()[i]);
    }
  }

  /** Adds the items of another accumulator, which stays as it is. */
  public void merge(FeatureAccumulator other) {
    for (int i = other.from; i < other.to; i++) {
      long number = other.numbers == null ? 0 : other.numbers[i];
      byte[] text = other.texts == null ? null : other.texts[i];
      add(other.carrier, number, text, other.timesMs[i], other.partitions[i], other.offsets[i]);
    }
  }

  /** Returns how many items are kept. */
  public int size() {
    return to - from;
  }

  /** Forgets all items. */
  public void clear() {
    if (texts != null) {
      Arrays.fill(texts, null);
    }
    from = 0;
    to = 0;
  }

  /** Returns the canonical {@code FeatureValue}, or null when no item was added. */
  public byte[] toBytes() {
    return size() == 0
        ? null
        : new FeatureItems(
                carrier,
                newestFirst(timesMs),
                newestFirst(partitions),
                newestFirst(offsets),
                carrier == Carrier.TEXT ? null : newestFirst(numbers),
                carrier == Carrier.TEXT ? newestFirst(texts) : null)
            .encode();
  }

  private void add(
      Carrier kind, long number, byte[] text, long timeMs, int partition, long offset) {
    boolean full = to - from == limit;
    int position = position(timeMs, partition, offset);
    if (position > from && compare(position - 1, timeMs, partition, offset) == 0) {
      keepGreater(position - 1, kind, number, text);
      return;
    }
    if (full && (mode == FeatureMode.FIRST ? position == to : position == from)) {
      return;
    }
    if (full && mode == FeatureMode.FIRST) {
      to--;
    } else if (full) {
      from++;
    }
    insert(makeRoom(kind, position), number, text, timeMs, partition, offset);
  }

  /** Returns the index after the last item whose key is not greater. */
  private int position(long timeMs, int partition, long offset) {
    int low = from;
    int high = to;
    int middle = to - 1;
    while (low < high) {
      if (compare(middle, timeMs, partition, offset) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
      middle = (low + high) >>> 1;
    }
    return low;
  }

  private int compare(int index, long timeMs, int partition, long offset) {
    int order = Long.compare(timesMs[index], timeMs);
    if (order == 0) {
      order = Integer.compare(partitions[index], partition);
    }
    return order == 0 ? Long.compare(offsets[index], offset) : order;
  }

  private void keepGreater(int index, Carrier kind, long number, byte[] text) {
    setCarrier(kind);
    if (kind == Carrier.TEXT) {
      if (FeatureItems.compareValues(kind, 0, texts[index], 0, text) < 0) {
        texts[index] = text;
      }
    } else if (FeatureItems.compareValues(kind, numbers[index], null, number, null) < 0) {
      numbers[index] = number;
    }
  }

  /** Makes sure that one more item fits at the end; returns where the position is then. */
  private int makeRoom(Carrier kind, int position) {
    setCarrier(kind);
    if (to < timesMs.length) {
      return position;
    }
    int size = to - from;
    int capacity = from > 0 ? timesMs.length : (int) Math.min(2L * limit, 2L * size);
    timesMs = moved(timesMs, new long[capacity], size);
    partitions = moved(partitions, new int[capacity], size);
    offsets = moved(offsets, new long[capacity], size);
    if (carrier == Carrier.TEXT) {
      texts = moved(texts, new byte[capacity][], size);
    } else {
      numbers = moved(numbers, new long[capacity], size);
    }
    int shift = from;
    from = 0;
    to = size;
    return position - shift;
  }

  private void setCarrier(Carrier kind) {
    if (carrier == kind) {
      return;
    }
    if (carrier != null) {
      throw new RowFormatException(
          "a feature with carrier" + " " + carrier + " got a value of type " + kind);
    }
    carrier = kind;
    if (kind == Carrier.TEXT) {
      texts = new byte[timesMs.length][];
    } else {
      numbers = new long[timesMs.length];
    }
  }

  @SuppressWarnings("SuspiciousSystemArraycopy")
  private <T> T moved(T old, T room, int size) {
    System.arraycopy(old, from, room, 0, size);
    return room;
  }

  private void insert(
      int position, long number, byte[] text, long timeMs, int partition, long offset) {
    int later = to - position;
    if (later > 0) {
      System.arraycopy(timesMs, position, timesMs, position + 1, later);
      System.arraycopy(partitions, position, partitions, position + 1, later);
      System.arraycopy(offsets, position, offsets, position + 1, later);
      Object values = carrier == Carrier.TEXT ? texts : numbers;
      System.arraycopy(values, position, values, position + 1, later);
    }
    timesMs[position] = timeMs;
    partitions[position] = partition;
    offsets[position] = offset;
    if (carrier == Carrier.TEXT) {
      texts[position] = text;
    } else {
      numbers[position] = number;
    }
    to++;
  }

  private long[] newestFirst(long[] values) {
    long[] reversed = new long[to - from];
    for (int i = 0; i < reversed.length; i++) {
      reversed[i] = values[to - 1 - i];
    }
    return reversed;
  }

  private int[] newestFirst(int[] values) {
    int[] reversed = new int[to - from];
    for (int i = 0; i < reversed.length; i++) {
      reversed[i] = values[to - 1 - i];
    }
    return reversed;
  }

  private byte[][] newestFirst(byte[][] values) {
    byte[][] reversed = new byte[to - from][];
    for (int i = 0; i < reversed.length; i++) {
      reversed[i] = values[to - 1 - i];
    }
    return reversed;
  }
}
