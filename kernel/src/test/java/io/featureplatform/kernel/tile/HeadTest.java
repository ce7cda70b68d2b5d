package io.featureplatform.kernel.tile;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.row.HeadRow;
import io.featureplatform.kernel.row.RowDecoder;
import io.featureplatform.kernel.row.TileRow;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HeadTest {
  private static final long MINUTE = 60_000;
  private static final int[] DEPTH = {3, 1, 1};
  private static final Column EVENTS = Layouts.counter(0, Kind.COUNT, 0, 1, 2);
  private static final Column LIKES = Layouts.counter(7, Kind.SUM, 0, 1, 2);

  private static Changes plus(Layout layout, long minute, Object... values) {
    Changes changes = new Changes(layout);
    add(changes, minute, values);
    return changes;
  }

  private static void add(Changes changes, long minute, Object... values) {
    changes.add(
        true,
        minute * MINUTE,
        new Command(true, 0, Collections.unmodifiableList(Arrays.asList(values))));
  }

  private static TileRow tile(Head head, int level, long minute) {
    HeadRow row = RowDecoder.decodeHead(head.encode());
    for (int i = 0; i < row.rows().length; i++) {
      if (row.levels()[i] == level && row.startsMs()[i] == minute * MINUTE) {
        return RowDecoder.decodeTile(row.rows()[i]);
      }
    }
    return null;
  }

  private static List<TileKey> keys(List<ClosedTile> closed) {
    return closed.stream().map(ClosedTile::key).toList();
  }

  /** The first events of an entity need no read, and old ones among them are closed at once. */
  @Test
  void firstBundleReadsNothing() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    Changes changes = plus(layout, 100, 1L);
    add(changes, 97, 2L);
    assertTrue(head.isEmpty());
    assertEquals(List.of(), head.closedTilesTouched(changes));
    assertEquals(
        List.of(new TileKey(0, 97 * MINUTE), new TileKey(1, 95 * MINUTE)),
        keys(head.apply(changes, Map.of())));
    assertArrayEquals(new long[] {3}, tile(head, 2, 90).counters());
    assertArrayEquals(new long[] {3}, tile(head, 3, 0).counters());
  }

  /** Only tiles older than the head's slots are read: neither those in it nor newer ones. */
  @Test
  void lateEventReadsClosedTilesOnly() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    head.apply(plus(layout, 100, 1L), Map.of());
    assertEquals(List.of(), head.closedTilesTouched(plus(layout, 1_000, 1L)));
    assertEquals(
        List.of(new TileKey(1, 95 * MINUTE)), head.closedTilesTouched(plus(layout, 98, 1L)));
    assertEquals(
        List.of(new TileKey(0, 97 * MINUTE), new TileKey(1, 95 * MINUTE)),
        head.closedTilesTouched(plus(layout, 97, 1L)));
  }

  /** A late event is added to what the store had of its closed tile. */
  @Test
  void lateEventIsAddedToTheRowRead() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    head.apply(plus(layout, 10, 4L), Map.of());
    List<ClosedTile> left = head.apply(plus(layout, 100, 1L), Map.of());
    Map<TileKey, byte[]> read = Map.of(left.get(0).key(), left.get(0).row());
    ClosedTile changed = head.apply(plus(layout, 10, 5L), read).get(0);
    assertEquals(new TileKey(0, 10 * MINUTE), changed.key());
    assertArrayEquals(new long[] {9}, RowDecoder.decodeTile(changed.row()).counters());
  }

  /** A tile between the old head and the new one is created without a read, closed at once. */
  @Test
  void tileBetweenOldAndNewHeadIsCreated() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    head.apply(plus(layout, 10, 1L), Map.of());
    Changes changes = plus(layout, 100, 1L);
    add(changes, 50, 2L);
    assertEquals(List.of(), head.closedTilesTouched(changes));
    assertEquals(
        List.of(
            new TileKey(0, 10 * MINUTE),
            new TileKey(0, 50 * MINUTE),
            new TileKey(1, 10 * MINUTE),
            new TileKey(1, 50 * MINUTE),
            new TileKey(2, 0),
            new TileKey(2, 30 * MINUTE)),
        keys(head.apply(changes, Map.of())));
  }

  /** Several changed minutes of one closed tile ask for its row once. */
  @Test
  void touchedTileIsNamedOnce() {
    Layout layout = Layouts.of(DEPTH, Layouts.counter(0, Kind.COUNT, 1));
    Head head = Head.empty(layout);
    head.apply(plus(layout, 100, 1L), Map.of());
    Changes changes = plus(layout, 11, 1L);
    add(changes, 12, 1L);
    assertEquals(List.of(new TileKey(1, 10 * MINUTE)), head.closedTilesTouched(changes));
  }

  /** A row that had not to be read is not added, should a cache still offer it. */
  @Test
  void rowsThatNeedNoReadAreIgnored() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    head.apply(plus(layout, 10, 1L), Map.of());
    Changes changes = plus(layout, 100, 1L);
    add(changes, 50, 2L);
    byte[] stale = {0x12, 1, 0, 0x1A, 1, 2};
    List<ClosedTile> closed = head.apply(changes, Map.of(new TileKey(0, 50 * MINUTE), stale));
    assertEquals(new TileKey(0, 50 * MINUTE), closed.get(1).key());
    assertArrayEquals(new long[] {2}, RowDecoder.decodeTile(closed.get(1).row()).counters());
  }

  /**
   * A column that the layout no longer knows keeps its numbers in head, lifetime and closed rows.
   */
  @Test
  void removedColumnPassesThrough() {
    Layout before = Layouts.of(DEPTH, EVENTS, LIKES);
    Head head = Head.empty(before);
    head.apply(plus(before, 10, 1L, 5L), Map.of());
    List<ClosedTile> left = head.apply(plus(before, 100, 1L, 6L), Map.of());
    Layout after = Layouts.of(DEPTH, EVENTS);
    Head upgraded = Head.decode(after, head.encode());
    Map<TileKey, byte[]> read = Map.of(left.get(0).key(), left.get(0).row());
    Changes changes = plus(after, 10, 1L);
    add(changes, 100, 1L);
    ClosedTile changed = upgraded.apply(changes, read).get(0);
    assertArrayEquals(new long[] {2, 5}, RowDecoder.decodeTile(changed.row()).counters());
    assertArrayEquals(new long[] {2, 6}, tile(upgraded, 0, 100).counters());
    assertArrayEquals(new long[] {4, 11}, tile(upgraded, 3, 0).counters());
  }

  /** A level that is no longer used keeps its tiles until they leave the head. */
  @Test
  void unusedLevelLeavesTheHead() {
    Layout before = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(before);
    head.apply(plus(before, 100, 1L), Map.of());
    Layout after = Layouts.of(DEPTH, Layouts.counter(0, Kind.COUNT, 2));
    Head upgraded = Head.decode(after, head.encode());
    assertEquals(List.of(), upgraded.apply(plus(after, 101, 1L), Map.of()));
    assertArrayEquals(new long[] {1}, tile(upgraded, 0, 100).counters());
    assertEquals(
        List.of(
            new TileKey(0, 100 * MINUTE),
            new TileKey(1, 100 * MINUTE),
            new TileKey(2, 90 * MINUTE)),
        keys(upgraded.apply(plus(after, 125, 1L), Map.of())));
  }

  /** An additive counter that is zero again is left out; a minimum of zero stays. */
  @Test
  void zeroIsLeftOutOfSumsOnly() {
    Column minimum = Layouts.counter(8, Kind.MIN, 0);
    Layout layout = Layouts.of(DEPTH, EVENTS, LIKES, minimum);
    Head head = Head.empty(layout);
    head.apply(plus(layout, 5, 1L, 3L, 0L), Map.of());
    head.apply(plus(layout, 5, 1L, -3L, null), Map.of());
    assertArrayEquals(new int[] {0, 8}, tile(head, 0, 5).counterIds());
    assertArrayEquals(new long[] {2, 0}, tile(head, 0, 5).counters());
  }

  /** A feature set without windows has its lifetime tile in the head and no closed tiles. */
  @Test
  void withoutWindowsThereIsLifetimeAlone() {
    Layout layout = Layouts.of(DEPTH, Layouts.counter(0, Kind.COUNT));
    Head head = Head.empty(layout);
    assertEquals(List.of(), head.apply(plus(layout, 1_000, 1L), Map.of()));
    Changes late = plus(layout, 1, 1L);
    assertEquals(List.of(), head.closedTilesTouched(late));
    assertEquals(List.of(), head.apply(late, Map.of()));
    assertArrayEquals(new long[] {2}, tile(head, 3, 0).counters());
    assertEquals(1, RowDecoder.decodeHead(head.encode()).rows().length);
  }

  /** No changes change nothing. */
  @Test
  void emptyChangesLeaveTheHead() {
    Layout layout = Layouts.of(DEPTH, EVENTS);
    Head head = Head.empty(layout);
    assertTrue(new Changes(layout).isEmpty());
    assertEquals(List.of(), head.apply(new Changes(layout), Map.of()));
    assertTrue(head.isEmpty());
    assertEquals(5 * MINUTE, plus(layout, 5, 1L).newestTileMs());
  }
}
