package io.featureplatform.kernel.concurrent;

import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.TileKey;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;

/** A store that outlasts the other one's outages: the same bytes with the same timestamp, again. */
public final class RetryingTileStore implements TileStore {
  private final TileStore store;
  private final Retry retry;

  public RetryingTileStore(TileStore store, Retry retry) {
    this.store = store;
    this.retry = retry;
  }

  @Override
  public CompletionStage<Map<TileKey, StoredRow>> read(String entity, Collection<TileKey> keys) {
    return retry.run(() -> store.read(entity, keys));
  }

  @Override
  public CompletionStage<List<Undo>> undo(String entity, long from, long to, int limit) {
    return retry.run(() -> store.undo(entity, from, to, limit));
  }

  @Override
  public CompletionStage<Void> write(String entity, List<RowWrite> rows, long timestamp) {
    return retry.run(() -> store.write(entity, rows, timestamp));
  }

  @Override
  public void close() {
    store.close();
  }
}
