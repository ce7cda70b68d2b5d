package io.featureplatform.kernel.tile;

/**
 * A closed tile's row as it must be written now.
 *
 * @param key level and start
 * @param row canonical {@code TileRow} bytes
 */
@SuppressWarnings("ArrayRecordComponent")
public record ClosedTile(TileKey key, byte[] row) {}
