package io.featureplatform.kernel.store.cql;

import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Cuts the writes of one entity into requests that a store takes. */
final class Batches {
  private Batches() {}

  /**
   * Splits an entity's writes into batches of bounded size; a row that is larger is alone. The head
   * is in the last one: until it is written, readers see the tiles that leave it.
   *
   * @param rows at least one; the head, if it is there, is the first
   */
  static List<List<RowWrite>> of(List<RowWrite> rows, long bytesMax) {
    long bytes = 0;
    for (RowWrite row : rows) {
      bytes += row.payload().length;
    }
    if (bytes <= bytesMax || rows.size() == 1) {
      return List.of(rows);
    }
    List<RowWrite> ordered = new ArrayList<>(rows);
    Collections.rotate(ordered, rows.get(0).key().equals(TileStore.HEAD) ? -1 : 0);
    List<List<RowWrite>> batches = new ArrayList<>();
    int from = 0;
    long size = 0;
    for (int i = 0; i < ordered.size(); i++) {
      long next = ordered.get(i).payload().length;
      if (i > from && size + next > bytesMax) {
        batches.add(ordered.subList(from, i));
        from = i;
        size = 0;
      }
      size += next;
    }
    batches.add(ordered.subList(from, ordered.size()));
    return batches;
  }
}
