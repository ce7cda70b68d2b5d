package io.featureplatform.kernel.row;

/**
 * The newest tiles of an entity, {@code HeadRow} of row.proto, ascending by level and start.
 *
 * @param levels for each tile its level; the number of levels means lifetime
 * @param startsMs for each tile its start in epoch milliseconds; 0 for lifetime
 * @param rows for each tile its encoded {@link TileRow}
 */
@SuppressWarnings("ArrayRecordComponent")
public record HeadRow(int[] levels, long[] startsMs, byte[][] rows) {}
