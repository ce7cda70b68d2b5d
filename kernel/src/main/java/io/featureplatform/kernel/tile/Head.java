package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.HeadRow;
import io.featureplatform.kernel.row.RowDecoder;
import io.featureplatform.kernel.row.RowEncoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * The newest tiles of one entity, decoded: the kernel's state, and the head row's other form.
 *
 * <p>A head holds for every level the newest {@code depth} slots, counted back from the entity's
 * newest tile, and the lifetime tile. Older tiles are closed and have rows of their own. Which
 * tiles are in the head, and every byte of head and closed rows, depend on the set of commands
 * alone. Mutable, not thread-safe.
 */
public final class Head {
  /** In place of the newest tile of a head without tiles. */
  private static final long NONE = Long.MIN_VALUE;

  private final Layout layout;
  private int[] levels;
  private long[] startsMs;
  private Tile[] tiles;
  private int size;

  /** Start of the newest tile: the greatest start of all tiles but lifetime. */
  private long newestMs = NONE;

  private Head(Layout layout, int capacity) {
    this.layout = layout;
    levels = new int[capacity];
    startsMs = new long[capacity];
    tiles = new Tile[capacity];
  }

  /** Returns the head of an entity that has no event so far. */
  public static Head empty(Layout layout) {
    return new Head(layout, layout.usedLevels().length + 2);
  }

  /**
   * Reads a head row.
   *
   * @throws io.featureplatform.kernel.row.RowFormatException if the bytes are no head row; the rows
   *     of its tiles are looked at when they change
   */
  public static Head decode(Layout layout, byte[] headRow) {
    HeadRow row = RowDecoder.decodeHead(headRow);
    Head head = new Head(layout, 0);
    head.size = row.rows().length;
    head.levels = row.levels();
    head.startsMs = row.startsMs();
    head.tiles = new Tile[head.size];
    for (int i = 0; i < head.size; i++) {
      head.tiles[i] = Tile.of(row.rows()[i]);
      if (head.levels[i] < layout.lifetimeLevel()) {
        head.newestMs = Math.max(head.newestMs, head.startsMs[i]);
      }
    }
    return head;
  }

  /** Returns the head row. */
  public byte[] encode() {
    byte[][] rows = new byte[size][];
    for (int i = 0; i < size; i++) {
      rows[i] = tiles[i].encode();
    }
    return RowEncoder.encode(
        new HeadRow(Arrays.copyOf(levels, size), Arrays.copyOf(startsMs, size), rows));
  }

  /** Returns an independent copy. */
  public Head copy() {
    Head copy = new Head(layout, 0);
    copy.size = size;
    copy.newestMs = newestMs;
    copy.levels = Arrays.copyOf(levels, size);
    copy.startsMs = Arrays.copyOf(startsMs, size);
    copy.tiles = new Tile[size];
    for (int i = 0; i < size; i++) {
      copy.tiles[i] = tiles[i].copy();
    }
    return copy;
  }

  /** Returns whether no event was ever seen. */
  public boolean isEmpty() {
    return size == 0;
  }

  /** Returns about how many bytes of heap the head takes. */
  public int approximateBytes() {
    int bytes = 100 + 20 * tiles.length;
    for (int i = 0; i < size; i++) {
      bytes += tiles[i].approximateBytes();
    }
    return bytes;
  }

  /**
   * Returns the closed tiles whose rows must be read before these changes can be applied.
   *
   * <p>These are the tiles older than this head's slots. A tile in a slot of this head is known
   * from it, and a newer one cannot exist in the store.
   *
   * @return ascending by level and start; empty for an empty head
   */
  public List<TileKey> closedTilesTouched(Changes changes) {
    List<TileKey> touched = List.of();
    if (newestMs == NONE) {
      return touched;
    }
    for (int level : layout.usedLevels()) {
      long oldestMs = layout.grid().headOldestMs(newestMs, level);
      long beforeMs = NONE;
      for (int i = 0; i < changes.size(); i++) {
        long startMs = layout.grid().floor(changes.startMs(i), level);
        if (startMs >= oldestMs) {
          break;
        }
        if (startMs != beforeMs) {
          touched = touched.isEmpty() ? new ArrayList<>() : touched;
          touched.add(new TileKey(level, startMs));
          beforeMs = startMs;
        }
      }
    }
    return touched;
  }

  /**
   * Applies the changes to every level and to lifetime, and advances the head.
   *
   * @param closedRowsRead for each of {@link #closedTilesTouched} its row; absent or null if the
   *     store has none
   * @return the rows of tiles that left the head and of closed tiles that changed, ascending by
   *     level and start
   */
  public List<ClosedTile> apply(Changes changes, Map<TileKey, byte[]> closedRowsRead) {
    List<ClosedTile> closed = new ArrayList<>(2);
    if (changes.isEmpty()) {
      return closed;
    }
    int[] used = layout.usedLevels();
    long oldNewestMs = newestMs;
    if (used.length > 0) {
      newestMs = Math.max(newestMs, layout.grid().floor(changes.newestTileMs(), used[0]));
    }
    for (int level : used) {
      applyLevel(level, oldNewestMs, changes, closedRowsRead, closed);
    }
    LevelColumns lifetime = layout.levelColumns(layout.lifetimeLevel());
    Tile tile = getOrInsert(layout.lifetimeLevel(), 0);
    for (int i = 0; i < changes.size(); i++) {
      tile.merge(lifetime, changes.tile(i));
    }
    moveOut(closed);
    if (closed.size() > 1) {
      closed.sort(Comparator.comparing(ClosedTile::key));
    }
    return closed;
  }

  private void applyLevel(
      int level,
      long oldNewestMs,
      Changes changes,
      Map<TileKey, byte[]> closedRowsRead,
      List<ClosedTile> closed) {
    Grid grid = layout.grid();
    LevelColumns columns = layout.levelColumns(level);
    long oldestMs = grid.headOldestMs(newestMs, level);
    long oldOldestMs = oldNewestMs == NONE ? NONE : grid.headOldestMs(oldNewestMs, level);
    int i = 0;
    while (i < changes.size()) {
      long startMs = grid.floor(changes.startMs(i), level);
      long endMs = startMs + grid.lengthMs(level);
      int held = find(level, startMs);
      TileKey key = null;
      Tile tile;
      if (held >= 0) {
        tile = tiles[held];
      } else if (startMs >= oldestMs) {
        tile = insert(-held - 1, level, startMs);
      } else {
        key = new TileKey(level, startMs);
        tile = Tile.of(startMs < oldOldestMs ? closedRowsRead.get(key) : null);
      }
      for (; i < changes.size() && changes.startMs(i) < endMs; i++) {
        tile.merge(columns, changes.tile(i));
      }
      if (key != null) {
        closed.add(new ClosedTile(key, tile.encode()));
      }
    }
  }

  /** Takes the tiles out that are older than the head's slots now. */
  private void moveOut(List<ClosedTile> closed) {
    int kept = 0;
    for (int i = 0; i < size; i++) {
      int level = levels[i];
      boolean stays =
          level == layout.lifetimeLevel()
              || startsMs[i] >= layout.grid().headOldestMs(newestMs, level);
      if (stays) {
        levels[kept] = level;
        startsMs[kept] = startsMs[i];
        tiles[kept] = tiles[i];
        kept++;
      } else {
        closed.add(new ClosedTile(new TileKey(level, startsMs[i]), tiles[i].encode()));
      }
    }
    Arrays.fill(tiles, kept, size, null);
    size = kept;
  }

  private Tile getOrInsert(int level, long startMs) {
    int held = find(level, startMs);
    return held >= 0 ? tiles[held] : insert(-held - 1, level, startMs);
  }

  /** Returns the index of a tile, or minus its insertion point minus 1. */
  private int find(int level, long startMs) {
    int low = 0;
    int high = size;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (levels[middle] < level || (levels[middle] == level && startsMs[middle] < startMs)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    boolean found = low < size && levels[low] == level && startsMs[low] == startMs;
    return found ? low : -low - 1;
  }

  private Tile insert(int position, int level, long startMs) {
    if (size == tiles.length) {
      levels = Arrays.copyOf(levels, size + 2);
      startsMs = Arrays.copyOf(startsMs, size + 2);
      tiles = Arrays.copyOf(tiles, size + 2);
    }
    System.arraycopy(levels, position, levels, position + 1, size - position);
    System.arraycopy(startsMs, position, startsMs, position + 1, size - position);
    System.arraycopy(tiles, position, tiles, position + 1, size - position);
    Tile tile = new Tile();
    levels[position] = level;
    startsMs[position] = startMs;
    tiles[position] = tile;
    size++;
    return tile;
  }
}
