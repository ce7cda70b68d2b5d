package io.featureplatform.kernel.row;

/**
 * What rows of an entity were before an epoch, {@code UndoRow} of row.proto, ascending by level and
 * start.
 *
 * @param levels for each row its level; -1 means the head
 * @param startsMs for each row its start in epoch milliseconds; 0 for the head
 * @param rows for each row its payload; null: there was no such row
 */
@SuppressWarnings("ArrayRecordComponent")
public record UndoRow(int[] levels, long[] startsMs, byte[][] rows) {}
