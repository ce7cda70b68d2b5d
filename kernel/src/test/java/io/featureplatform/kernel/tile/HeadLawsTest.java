package io.featureplatform.kernel.tile;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.featureplatform.kernel.row.FeatureValues;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

class HeadLawsTest {
  /** Layouts with every kind of aggregate, each at some of the levels that are used. */
  @Provide
  Arbitrary<Layout> layouts() {
    Arbitrary<Integer> depths = Arbitraries.integers().between(1, 3);
    Arbitrary<List<Integer>> levels =
        Arbitraries.of(0, 1, 2).set().map(set -> set.stream().sorted().toList());
    Arbitrary<List<Integer>> subset = Arbitraries.of(0, 1, 2).set().map(List::copyOf);
    return Combinators.combine(
            depths.array(int[].class).ofSize(3), levels, subset.list().ofSize(7), booleans())
        .as(HeadLawsTest::layout);
  }

  private static Arbitrary<List<Boolean>> booleans() {
    return Arbitraries.of(true, false).list().ofSize(7);
  }

  private static Layout layout(
      int[] depth, List<Integer> used, List<List<Integer>> subsets, List<Boolean> lifetime) {
    Kind[] kinds = Kind.values();
    int[] ids = {9, 4, 300, 3, 70_000, 2, 1};
    Column[] columns = new Column[kinds.length + 1];
    columns[0] = Layouts.column(0, Kind.COUNT, 0, used, true);
    for (int i = 0; i < kinds.length; i++) {
      List<Integer> levels = subsets.get(i).stream().filter(used::contains).sorted().toList();
      int n = kinds[i] == Kind.LAST_N ? 3 : 0;
      columns[i + 1] = Layouts.column(ids[i], kinds[i], n, levels, lifetime.get(i));
    }
    return Layouts.of(depth, columns);
  }

  /** Commands near each other in time, with zeros and cancelling pairs among the counters. */
  private static List<Command> commands(Layout layout, Random random, int count) {
    List<Command> commands = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long minute = random.nextInt(random.nextInt(5) == 0 ? 200 : 12);
      boolean plus = random.nextInt(4) > 0;
      List<Object> values = new ArrayList<>();
      for (Column column : layout.columns()) {
        values.add(random.nextInt(5) == 0 ? null : value(column, random, minute * 60_000));
      }
      commands.add(new Command(plus, minute * 60_000, Collections.unmodifiableList(values)));
    }
    return commands;
  }

  private static Object value(Column column, Random random, long tileStartMs) {
    long timeMs = tileStartMs + random.nextInt(60_000);
    int partition = random.nextInt(2);
    long offset = random.nextInt(1_000);
    return switch (column.kind()) {
      case COUNT -> (long) random.nextInt(3);
      case SUM -> random.nextInt(20) == 0 ? Long.MAX_VALUE : random.nextInt(5) - 2L;
      case MIN, MAX -> random.nextInt(9) - 4L;
      case LAST ->
          FeatureValues.ofText(
              ("v" + timeMs + offset).getBytes(StandardCharsets.UTF_8), timeMs, partition, offset);
      default -> FeatureValues.ofInt(timeMs * 31 + offset, timeMs, partition, offset);
    };
  }

  /** A store of closed rows that checks what the head claims about them. */
  private static final class Replay {
    final SortedMap<TileKey, byte[]> closed = new TreeMap<>();
    final Layout layout;
    Head head;

    Replay(Layout layout) {
      this.layout = layout;
      this.head = Head.empty(layout);
    }

    void flush(List<Command> bundle) {
      Changes changes = new Changes(layout);
      bundle.forEach(c -> changes.add(c.plus(), c.tileStartMs(), c));
      Map<TileKey, byte[]> read = new HashMap<>();
      for (TileKey key : head.closedTilesTouched(changes)) {
        read.put(key, closed.get(key));
      }
      List<ClosedTile> written = head.apply(changes, read);
      TileKey before = null;
      for (ClosedTile tile : written) {
        assertTrue(before == null || before.compareTo(tile.key()) < 0, "ascending, each once");
        assertTrue(
            read.containsKey(tile.key()) || !closed.containsKey(tile.key()),
            "a row is there that was not read");
        before = tile.key();
        closed.put(tile.key(), tile.row());
      }
    }
  }

  /** However commands are bundled and ordered, head and closed rows equal the naive recount. */
  @Property(tries = 1500)
  void bundlesDoNotMatter(
      @ForAll("layouts") Layout layout,
      @ForAll Random random,
      @ForAll @IntRange(min = 1, max = 60) int count)
      throws InvalidProtocolBufferException {
    List<Command> commands = commands(layout, random, count);
    NaiveTiles expected = new NaiveTiles(layout, commands);
    Collections.shuffle(commands, random);
    Replay replay = new Replay(layout);
    int from = 0;
    while (from < count) {
      int to = from + 1 + random.nextInt(count - from);
      replay.flush(commands.subList(from, to));
      from = to;
      if (random.nextBoolean()) {
        replay.head = Head.decode(layout, replay.head.encode());
      } else if (random.nextBoolean()) {
        Head copied = replay.head;
        replay.head = copied.copy();
        copied.apply(changes(layout, commands), Map.of());
      }
    }
    assertArrayEquals(expected.head, replay.head.encode());
    assertEquals(expected.closed.keySet(), replay.closed.keySet());
    expected.closed.forEach((key, row) -> assertArrayEquals(row, replay.closed.get(key)));
    assertFalse(replay.head.isEmpty());
  }

  /** A head that was written and read goes on as the one that stayed in memory. */
  @Property(tries = 300)
  void decodedHeadGoesOnAlike(@ForAll("layouts") Layout layout, @ForAll Random random) {
    Head kept = Head.empty(layout);
    kept.apply(changes(layout, commands(layout, random, 20)), Map.of());
    Head decoded = Head.decode(layout, kept.encode());
    Changes more = changes(layout, commands(layout, random, 20));
    assertEquals(kept.closedTilesTouched(more), decoded.closedTilesTouched(more));
    List<ClosedTile> expected = kept.apply(more, Map.of());
    List<ClosedTile> actual = decoded.apply(more, Map.of());
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < actual.size(); i++) {
      assertEquals(expected.get(i).key(), actual.get(i).key());
      assertArrayEquals(expected.get(i).row(), actual.get(i).row());
    }
    assertArrayEquals(kept.encode(), decoded.encode());
  }

  private static Changes changes(Layout layout, List<Command> commands) {
    Changes changes = new Changes(layout);
    commands.forEach(c -> changes.add(c.plus(), c.tileStartMs(), c));
    return changes;
  }
}
