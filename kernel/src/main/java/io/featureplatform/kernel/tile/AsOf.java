package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.FeatureAccumulator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What features of one entity were at instants: takes partials and questions in the order in which
 * they come to be known, and answers each question by the partials before it. Mutable. Hot path.
 *
 * <p>A window keeps the sum of what is inside. When it moves, the finest tiles that it reaches are
 * added and those that it leaves are subtracted, which is exact for integers. Of minima and maxima
 * it keeps those that no later one beats: the first of them is the answer. So a question costs the
 * tiles that have come and gone since the last one, however long the window is.
 *
 * <p>Partials may come in any order of their event times. Tiles are kept from the tail of the
 * longest window on; what no window can reach is dropped. Where instants do not ascend, a window
 * that has to move back is filled again.
 */
public final class AsOf {
  /** With more tiles than this the windows are moved, to see which are still needed. */
  private static final int TILES_MIN = 4_096;

  private final AsOfPlan plan;
  private final long backMs;
  private final Slots slots;
  private final List<Window> windows = new ArrayList<>();
  private final long finestMs;
  private final Values lifetime;
  private final FeatureAccumulator[] items;
  private final byte[][] encoded;
  private final NavigableMap<Long, Values> tiles = new TreeMap<>();
  private long newestStartMs = Long.MIN_VALUE;
  private Values newest;
  private int tilesMax = TILES_MIN;
  private boolean known;

  /** Begins with an entity of which nothing is known; the instants of questions ascend. */
  public AsOf(AsOfPlan plan) {
    this(plan, 0);
  }

  /**
   * Begins with an entity of which nothing is known.
   *
   * @param backMs how far before an earlier question's instant that of a later one may be
   */
  public AsOf(AsOfPlan plan, long backMs) {
    this.plan = plan;
    this.backMs = backMs;
    this.slots = Slots.of(plan);
    this.finestMs = plan.layout().grid().lengthMs(0);
    this.lifetime = new Values(slots.width);
    int columns = plan.layout().columns().size();
    this.items = new FeatureAccumulator[columns];
    this.encoded = new byte[columns][];
    for (AsOfPlan.Window window : plan.windows()) {
      windows.add(new Window(window));
    }
  }

  /** Returns whether anything was added. */
  public boolean isKnown() {
    return known;
  }

  /**
   * Adds the partials of an event, or of several of one finest tile.
   *
   * @param atMs when they came to be known, in the order of questions: no later question is before
   *     that, but for {@code backMs}
   * @param timeMs their event time
   */
  public void add(long atMs, long timeMs, CommandValues values) {
    known = true;
    for (int index : plan.lifetime()) {
      if (!values.isNull(index)) {
        addToLifetime(index, values);
      }
    }
    if (windows.isEmpty()) {
      return;
    }
    if (tiles.size() >= tilesMax) {
      move(atMs);
      tilesMax = Math.max(TILES_MIN, 2 * tiles.size());
    }
    Values tile = tile(timeMs - Math.floorMod(timeMs, finestMs));
    for (int i = 0; i < slots.width; i++) {
      int index = slots.columns[i];
      if (!values.isNull(index)) {
        tile.add(slots, i, slots.ordered(i, values.int64(index)));
      }
    }
    for (Window window : windows) {
      if (window.loMs <= timeMs && timeMs < window.hiMs) {
        window.add(newestStartMs, values);
      }
    }
  }

  /**
   * Answers a question.
   *
   * @param instantMs not before the one of any earlier question, but for {@code backMs}
   * @param answer gets the value of each slot of the plan
   */
  public void ask(long instantMs, AsOfAnswer answer) {
    move(instantMs);
    answer.clear();
    int at = 0;
    for (Window window : windows) {
      for (int slot : window.members) {
        window.answer(slot, answer, at++);
      }
    }
    for (int index : plan.lifetime()) {
      answerLifetime(index, answer, at++);
    }
  }

  private void addToLifetime(int index, CommandValues values) {
    Column column = plan.layout().columns().get(index);
    if (column.kind().isCounter()) {
      int slot = slots.places[index];
      lifetime.add(slots, slot, slots.ordered(slot, values.int64(index)));
      return;
    }
    if (items[index] == null) {
      items[index] = new FeatureAccumulator(column.kind().mode(), column.n());
    }
    items[index].merge(values.bytes(index));
    encoded[index] = null;
  }

  private void answerLifetime(int index, AsOfAnswer answer, int at) {
    if (plan.layout().columns().get(index).kind().isCounter()) {
      lifetime.answer(slots, slots.places[index], answer, at);
      return;
    }
    if (encoded[index] == null && items[index] != null) {
      encoded[index] = items[index].toBytes();
    }
    answer.setItem(at, encoded[index]);
  }

  private Values tile(long startMs) {
    if (newest == null || newestStartMs != startMs) {
      newestStartMs = startMs;
      newest = tiles.computeIfAbsent(startMs, start -> new Values(slots.width));
    }
    return newest;
  }

  private void move(long instantMs) {
    long oldestMs = Long.MAX_VALUE;
    for (Window window : windows) {
      window.move(instantMs);
      oldestMs = Math.min(oldestMs, window.tailOf(instantMs - backMs));
    }
    tiles.headMap(oldestMs).clear();
    if (newestStartMs < oldestMs) {
      newest = null;
    }
  }

  /** A window at its present place. Mutable. */
  private final class Window {
    private final long lengthMs;
    private final long tailMs;
    private final long frontMs;
    private final int[] members;
    private final long[] sums = new long[slots.width];

    /** By slot, of a minimum: starts of tiles with their value, which no later one beats. */
    private final List<NavigableMap<Long, Long>> stairs = new ArrayList<>();

    private long loMs = Long.MIN_VALUE;
    private long hiMs = Long.MIN_VALUE;

    Window(AsOfPlan.Window window) {
      this.lengthMs = window.lengthMs();
      this.tailMs = window.tailMs();
      this.frontMs = window.frontMs();
      this.members = window.columns().stream().mapToInt(index -> slots.places[index]).toArray();
      for (int slot = 0; slot < slots.width; slot++) {
        stairs.add(new TreeMap<>());
      }
    }

    void move(long instantMs) {
      long newLo = tailOf(instantMs);
      long newHi = instantMs - Math.floorMod(instantMs, frontMs) + frontMs;
      if (newLo < loMs || newHi < hiMs) {
        begin();
      }
      long from = Math.max(hiMs, newLo);
      if (from < newHi) {
        tiles.subMap(from, newHi).forEach(this::reach);
      }
      long until = Math.min(hiMs, newLo);
      if (loMs < until) {
        tiles.subMap(loMs, until).values().forEach(this::leave);
      }
      if (loMs < newLo) {
        for (int slot : members) {
          if (!slots.additive[slot]) {
            stairs.get(slot).headMap(newLo).clear();
          }
        }
      }
      loMs = newLo;
      hiMs = newHi;
    }

    /** Returns where the window begins at an instant. */
    private long tailOf(long instantMs) {
      long tail = instantMs - lengthMs;
      return tail - Math.floorMod(tail, tailMs);
    }

    private void begin() {
      loMs = Long.MIN_VALUE;
      hiMs = Long.MIN_VALUE;
      Arrays.fill(sums, 0);
      stairs.forEach(NavigableMap::clear);
    }

    private void reach(long startMs, Values tile) {
      for (int slot : members) {
        if (slots.additive[slot]) {
          sums[slot] += tile.values[slot];
        } else if (tile.present[slot]) {
          offer(stairs.get(slot), startMs, tile.values[slot]);
        }
      }
    }

    private void leave(Values tile) {
      for (int slot : members) {
        sums[slot] -= tile.values[slot];
      }
    }

    void add(long startMs, CommandValues values) {
      for (int slot : members) {
        int index = slots.columns[slot];
        if (values.isNull(index)) {
          continue;
        }
        long value = slots.ordered(slot, values.int64(index));
        if (slots.additive[slot]) {
          sums[slot] += value;
        } else {
          offer(stairs.get(slot), startMs, value);
        }
      }
    }

    void answer(int slot, AsOfAnswer answer, int at) {
      if (slots.additive[slot]) {
        answer.set(at, sums[slot]);
        return;
      }
      Map.Entry<Long, Long> first = stairs.get(slot).firstEntry();
      if (first != null) {
        answer.setExtreme(at, slots.ordered(slot, first.getValue()));
      }
    }
  }

  /** Adds a value unless one that stays as long is as small; drops those that it beats. */
  private static void offer(NavigableMap<Long, Long> stairs, long startMs, long value) {
    Map.Entry<Long, Long> later = stairs.ceilingEntry(startMs);
    if (later != null && later.getValue() <= value) {
      return;
    }
    stairs.put(startMs, value);
    Map.Entry<Long, Long> earlier = stairs.lowerEntry(startMs);
    while (earlier != null && earlier.getValue() >= value) {
      stairs.remove(earlier.getKey());
      earlier = stairs.lowerEntry(startMs);
    }
  }

  /** Counters of a tile, or of all events. Mutable. */
  private static final class Values {
    private final long[] values;
    private final boolean[] present;

    Values(int width) {
      values = new long[width];
      present = new boolean[width];
    }

    void add(Slots slots, int slot, long value) {
      if (slots.additive[slot]) {
        values[slot] += value;
      } else if (!present[slot] || value < values[slot]) {
        values[slot] = value;
      }
      present[slot] = true;
    }

    void answer(Slots slots, int slot, AsOfAnswer answer, int at) {
      if (slots.additive[slot]) {
        answer.set(at, values[slot]);
      } else if (present[slot]) {
        answer.setExtreme(at, slots.ordered(slot, values[slot]));
      }
    }
  }

  /** The counters that are asked for, numbered. */
  private static final class Slots {
    private final int width;

    /** By number, the index of its column. */
    private final int[] columns;

    /** By index of a column, its number. */
    private final int[] places;

    private final boolean[] additive;
    private final boolean[] reversed;

    private Slots(int[] columns, Layout layout) {
      this.width = columns.length;
      this.columns = columns;
      this.places = new int[layout.columns().size()];
      this.additive = new boolean[width];
      this.reversed = new boolean[width];
      for (int i = 0; i < width; i++) {
        Kind kind = layout.columns().get(columns[i]).kind();
        places[columns[i]] = i;
        additive[i] = kind.isAdditive();
        reversed[i] = kind == Kind.MAX;
      }
    }

    static Slots of(AsOfPlan plan) {
      int[] columns =
          plan.slots().stream()
              .filter(column -> column.kind().isCounter())
              .mapToInt(Column::index)
              .distinct()
              .toArray();
      return new Slots(columns, plan.layout());
    }

    /** Turns a maximum into a minimum, and back. */
    long ordered(int slot, long value) {
      return reversed[slot] ? ~value : value;
    }
  }
}
