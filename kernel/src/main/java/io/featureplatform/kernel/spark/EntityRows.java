package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.ClosedTile;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * The rows of entities, one entity after the other, from their partials in the order of entity and
 * tile, of which there may be several: closed tiles as they leave the head, then the head.
 *
 * <p>Tiles ascend, so a tile that has left the head never changes again: of an entity with a long
 * past only some thousand tiles are in memory at a time. Hot path.
 */
final class EntityRows implements Iterator<InternalRow> {
  /** How many finest tiles are rolled up at a time. */
  static final int TILES_MAX = 4_096;

  private static final int ENTITY = 0;
  private static final int TILE = 1;
  private static final int FIRST_PARTIAL = 2;

  private final Layout layout;
  private final Iterator<InternalRow> partials;
  private final int tilesMax;
  private final Values values = new Values();
  private final Deque<InternalRow> ready = new ArrayDeque<>();
  private UTF8String entity;
  private Head head;
  private Changes changes;
  private int tiles;

  EntityRows(Layout layout, Iterator<InternalRow> partials, int tilesMax) {
    this.layout = layout;
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
      boolean last = entity != null;
      finish();
      return last;
    }
    InternalRow row = partials.next();
    UTF8String name = row.getUTF8String(ENTITY);
    if (!name.equals(entity)) {
      finish();
      entity = name.copy();
      head = Head.empty(layout);
      changes = new Changes(layout);
    }
    long tileMs = row.getLong(TILE);
    if (changes.newestTileMs() != tileMs && ++tiles > tilesMax) {
      rollUp();
      tiles = 1;
    }
    changes.add(true, tileMs, values.of(row));
    return true;
  }

  private void rollUp() {
    for (ClosedTile closed : head.apply(changes, Map.of())) {
      ready.add(row(closed.key().level(), closed.key().startMs(), closed.row()));
    }
    changes = new Changes(layout);
  }

  private void finish() {
    if (entity != null) {
      rollUp();
      ready.add(row(TileStore.HEAD.level(), TileStore.HEAD.startMs(), head.encode()));
      entity = null;
      tiles = 0;
    }
  }

  private InternalRow row(int level, long startMs, byte[] payload) {
    return new GenericInternalRow(new Object[] {entity, level, startMs, payload});
  }

  /** The partials of a row, which follow its entity and tile. Mutable: one is reused. */
  private static final class Values implements CommandValues {
    private InternalRow row;

    Values of(InternalRow row) {
      this.row = row;
      return this;
    }

    @Override
    public boolean isNull(int column) {
      return row.isNullAt(FIRST_PARTIAL + column);
    }

    @Override
    public long int64(int column) {
      return row.getLong(FIRST_PARTIAL + column);
    }

    @Override
    public byte[] bytes(int column) {
      return row.getBinary(FIRST_PARTIAL + column);
    }
  }
}
