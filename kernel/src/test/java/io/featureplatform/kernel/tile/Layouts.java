package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.Carrier;
import java.util.ArrayList;
import java.util.List;

/** Layouts for the tests. */
final class Layouts {
  static final long[] LENGTHS_MS = {60_000, 300_000, 1_800_000};

  private Layouts() {}

  /** Returns a column; its index is given when it becomes part of a layout. */
  static Column column(int id, Kind kind, int n, List<Integer> levels, boolean lifetime) {
    Carrier carrier = kind == Kind.LAST ? Carrier.TEXT : Carrier.INT;
    return new Column(0, id, "c" + id, kind, carrier, n, levels, lifetime);
  }

  static Column counter(int id, Kind kind, Integer... levels) {
    return column(id, kind, 0, List.of(levels), true);
  }

  static Layout of(int[] depth, Column... columns) {
    List<Column> indexed = new ArrayList<>();
    for (Column c : columns) {
      indexed.add(
          new Column(
              indexed.size(),
              c.id(),
              c.name(),
              c.kind(),
              c.carrier(),
              c.n(),
              c.levels(),
              c.lifetime()));
    }
    long[] retentionMs = {3_600_000, 3_600_000, 86_400_000};
    return new Layout(new Grid(LENGTHS_MS, depth), retentionMs, indexed);
  }
}
