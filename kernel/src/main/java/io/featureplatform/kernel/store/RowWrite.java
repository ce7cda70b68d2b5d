package io.featureplatform.kernel.store;

import io.featureplatform.kernel.tile.TileKey;

/**
 * One row to be written: all of an entity's go in one batch.
 *
 * @param key {@link TileStore#HEAD}, a closed tile, or an undo row's
 * @param payload its bytes, frozen: a retry sends the same
 * @param ttlSeconds how long the store keeps it; {@link #TTL_NONE} for the head, and for what it
 *     cannot expire as late as it must
 */
@SuppressWarnings("ArrayRecordComponent")
public record RowWrite(TileKey key, byte[] payload, int ttlSeconds) {
  /** Does not expire. */
  public static final int TTL_NONE = 0;

  /**
   * 2038-01-18T00:00:00Z in epoch seconds. Cassandra before 5.0, and 5.0 unless its compatibility
   * mode is off, refuses a row that would expire later than the day after. Such a row gets no TTL.
   */
  public static final long LAST_EXPIRY_S = 2_147_385_600L;

  private static final int UNDO_SECONDS_MAX = 365 * 24 * 3600;

  /** Refuses what the store would take for "does not expire" without being asked to. */
  public RowWrite {
    if (ttlSeconds < 0 || (ttlSeconds == TTL_NONE && key.level() == UndoKey.LEVEL)) {
      throw new IllegalArgumentException(
          "an undo row needs a TTL above 0, another one at least 0: " + key + ", " + ttlSeconds);
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
    return new RowWrite(key, payload, (int) Math.min((ttlMs + 999) / 1000, UNDO_SECONDS_MAX));
  }

  /**
   * Makes the write of a closed tile.
   *
   * @param secondsLeft above 0: a tile that no window can reach is not written at all
   * @param nowMs the present; where a store cannot expire the row in time, it stays
   */
  public static RowWrite closed(TileKey key, byte[] payload, long secondsLeft, long nowMs) {
    if (secondsLeft <= 0) {
      throw new IllegalArgumentException(
          "a closed tile needs a TTL above 0: " + key + ", TTL " + secondsLeft);
    }
    boolean expires = nowMs / 1000 + secondsLeft <= LAST_EXPIRY_S;
    return new RowWrite(key, payload, expires ? (int) secondsLeft : TTL_NONE);
  }
}
