package io.featureplatform.kernel.store;

import io.featureplatform.kernel.tile.TileKey;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/**
 * The rows of one generation. Neither call blocks; both may complete on any thread, and fail with
 * {@link StoreDownException} when trying the same again later may succeed.
 */
public interface TileStore extends AutoCloseable {
  /** The key of an entity's head row. */
  TileKey HEAD = new TileKey(-1, 0);

  /** What a read of nothing but the head asks for. */
  Set<TileKey> HEAD_ALONE = Set.of(HEAD);

  /**
   * An undo row as it is in the store.
   *
   * @param start its place, as {@link UndoKey} makes it
   * @param payload an encoded {@link io.featureplatform.kernel.row.UndoRow}
   */
  @SuppressWarnings("ArrayRecordComponent")
  record Undo(long start, byte[] payload) {}

  /**
   * Reads rows of one entity, with the consistency of the writes: it sees every acknowledged one.
   *
   * @return the rows that exist; a key without a row is missing from the map
   */
  CompletionStage<Map<TileKey, StoredRow>> read(String entity, Collection<TileKey> keys);

  /**
   * Reads undo rows of one entity, with the consistency of the writes.
   *
   * @param from the first start that is wanted
   * @param to the last start that is
   * @param limit how many at most
   * @return ascending; fewer than the limit: there are no more
   */
  CompletionStage<List<Undo>> undo(String entity, long from, long to, int limit);

  /**
   * Writes rows of one entity in one batch, or in several where one would be larger than a store
   * takes; the head, which comes first, is then written last. A write never overtakes one with a
   * larger timestamp, and may be repeated with the same bytes and timestamp at will.
   *
   * @param timestamp a {@link WriteTime}
   * @return completes when the store has acknowledged all of them
   */
  CompletionStage<Void> write(String entity, List<RowWrite> rows, long timestamp);

  @Override
  void close();
}
