package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.ClosedTile;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The rows of entities, one entity after the other, from their partials in the order of {@link
 * PartialOrder}: closed tiles as they leave the head, then the head. Of a tile there may be several
 * partials.
 *
 * <p>Tiles ascend, so a tile that has left the head never changes again: of an entity with a long
 * past only some thousand tiles are in memory at a time. Of entities with one hash this holds for
 * the first; all rows of the others are, until the last of them has come. Hot path.
 */
final class EntityRows implements Iterator<InternalRow> {
  /** How many finest tiles are rolled up at a time. */
  static final int TILES_MAX = 4_096;

  private static final int FIRST_PARTIAL = PartialOrder.COLUMNS;

  private final Layout layout;
  private final PartialOrder order;
  private final Iterator<InternalRow> partials;
  private final int tilesMax;
  private final PartialValues values = new PartialValues(FIRST_PARTIAL);
  private final Deque<InternalRow> ready = new ArrayDeque<>();

  /** Those whose hash is the one at hand: one, or seldom some that are mixed. */
  private final List<Entity> open = new ArrayList<>();

  private Entity entity;
  private long hash;

  EntityRows(Layout layout, PartialOrder order, Iterator<InternalRow> partials, int tilesMax) {
    this.layout = layout;
    this.order = order;
    this.partials = partials;
    this.tilesMax = tilesMax;
  }

  @Override
  public boolean hasNext() {
    while (ready.isEmpty() && advance()) {
      // Each step takes one partial.
    }
    return !ready.isEmpty();
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return ready.remove();
  }

  /** Takes one partial in, or the end; returns whether anything may follow. */
  private boolean advance() {
    if (!partials.hasNext()) {
      boolean last = !open.isEmpty();
      finish();
      return last;
    }
    InternalRow row = partials.next();
    long rowHash = order.hash(row);
    if (rowHash != hash) {
      finish();
      hash = rowHash;
    }
    UTF8String name = PartialOrder.entity(row);
    if (entity == null || !entity.name.equals(name)) {
      entity = open(name);
    }
    entity.add(PartialOrder.tileMs(row), values.of(row));
    return true;
  }

  private Entity open(UTF8String name) {
    for (Entity each : open) {
      if (each.name.equals(name)) {
        return each;
      }
    }
    // Rows of an entity are together, so those of a second one wait for the end of the first.
    Entity opened = new Entity(name.copy(), open.isEmpty() ? ready : new ArrayDeque<>());
    open.add(opened);
    return opened;
  }

  private void finish() {
    for (Entity each : open) {
      each.finish();
      if (each.rows != ready) {
        ready.addAll(each.rows);
      }
    }
    open.clear();
    entity = null;
  }

  /** An entity while its partials come. Mutable. */
  private final class Entity {
    private final UTF8String name;
    private final Deque<InternalRow> rows;
    private final Head head = Head.empty(layout);
    private Changes changes = new Changes(layout);
    private long tileAtHandMs;
    private int tiles;

    Entity(UTF8String name, Deque<InternalRow> rows) {
      this.name = name;
      this.rows = rows;
    }

    void add(long tileMs, CommandValues partial) {
      if (tileMs < tileAtHandMs) {
        throw new IllegalStateException(
            "entity %s: the tile at %d is out of order, after the one at %d"
                .formatted(name, tileMs, tileAtHandMs));
      }
      if (tileMs > tileAtHandMs && ++tiles > tilesMax) {
        rollUp();
        tiles = 1;
      }
      tileAtHandMs = tileMs;
      changes.add(true, tileMs, partial);
    }

    private void rollUp() {
      for (ClosedTile closed : head.apply(changes, Map.of())) {
        rows.add(row(closed.key().level(), closed.key().startMs(), closed.row()));
      }
      changes = new Changes(layout);
    }

    void finish() {
      rollUp();
      rows.add(row(TileStore.HEAD.level(), TileStore.HEAD.startMs(), head.encode()));
    }

    private InternalRow row(int level, long startMs, byte[] payload) {
      return new GenericInternalRow(new Object[] {name, level, startMs, payload});
    }
  }
}
