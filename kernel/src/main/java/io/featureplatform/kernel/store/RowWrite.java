package io.featureplatform.kernel.store;

import io.featureplatform.kernel.tile.TileKey;

/**
 * One row to be written: all of an entity's go in one batch.
 *
 * @param key {@link TileStore#HEAD}, a closed tile, or an undo row's
 * @param payload its bytes, frozen: a retry sends the same
 * @param ttlSeconds how long the store keeps it; {@link #TTL_NONE} is for the head alone
 */
@SuppressWarnings("ArrayRecordComponent")
public record RowWrite(TileKey key, byte[] payload, int ttlSeconds) {
  /** Kept for ever. */
  public static final int TTL_NONE = 0;

  /** The longest that CQL takes: 20 years. */
  public static final int TTL_SECONDS_MAX = 20 * 365 * 24 * 3600;

  /** Refuses a closed tile that would be kept for ever: TTL 0 means that to the store. */
  public RowWrite {
    if (ttlSeconds < 0 || (ttlSeconds == TTL_NONE && !key.equals(TileStore.HEAD))) {
      throw new IllegalArgumentException(
          "a closed tile needs a TTL above 0: " + key + ", TTL " + ttlSeconds);
    }
  }

  /** Makes the write of a head, which has no TTL. */
  public static RowWrite head(byte[] payload) {
    return new RowWrite(TileStore.HEAD, payload, TTL_NONE);
  }

  /**
   * Makes the write of an undo row.
   *
   * @param key as {@link UndoKey} makes it
   */
  public static RowWrite undo(TileKey key, byte[] payload, long ttlMs) {
    return new RowWrite(key, payload, (int) Math.min((ttlMs + 999) / 1000, TTL_SECONDS_MAX));
  }

  /**
   * Makes the write of a closed tile.
   *
   * @param secondsLeft above 0: a tile that no window can reach is not written at all
   */
  public static RowWrite closed(TileKey key, byte[] payload, long secondsLeft) {
    return new RowWrite(key, payload, (int) Math.min(secondsLeft, TTL_SECONDS_MAX));
  }
}
