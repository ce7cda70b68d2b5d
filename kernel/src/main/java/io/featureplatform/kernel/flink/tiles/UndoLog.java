package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Says which undo rows must be written (rule 3 of exactness): for rows that this attempt touches
 * for the first time since its checkpoint began, what they were before.
 *
 * <p>Remembers of which rows it has written an undo entry, up to a limit. One that it forgets gets
 * another by a later flush of the checkpoint, with a larger key; as the smallest is what counts,
 * that costs a write and changes nothing.
 */
final class UndoLog {
  private static final int TOUCHED_ROWS_MAX = 200_000;

  /** How large an undo row of more than one entry may be. */
  static final int BYTES_MAX = 4_194_304;

  private record RowId(String entity, TileKey key) {}

  private final int attempt;
  private final long ttlMs;
  private final int touchedRowsMax;
  private final Set<RowId> touched = new HashSet<>();
  private long checkpointId;
  private int sequence;
  private int lastUsed;

  UndoLog(int attempt, long firstCheckpointId, long ttlMs) {
    this(attempt, firstCheckpointId, ttlMs, TOUCHED_ROWS_MAX);
  }

  UndoLog(int attempt, long firstCheckpointId, long ttlMs, int touchedRowsMax) {
    this.attempt = attempt;
    this.checkpointId = firstCheckpointId;
    this.ttlMs = ttlMs;
    this.touchedRowsMax = touchedRowsMax;
  }

  /** Returns the checkpoint id of the next flush. */
  long checkpointId() {
    return checkpointId;
  }

  /** Notes that a barrier has passed: from here on the checkpoint id is the next one. */
  void passed(long barrier) {
    checkpointId = barrier + 1;
    sequence = 0;
    lastUsed = 0;
    touched.clear();
  }

  /** Says that a flush begins. */
  void begin() {
    sequence = lastUsed + 1;
    lastUsed = sequence;
  }

  /**
   * Returns the undo rows to be acknowledged before these rows are sent: mostly one, several where
   * one would be larger than a store takes, none if all of them have one already.
   *
   * @param rows all that the flush writes for the entity; the head first, then ascending
   * @param before what a row was, as this attempt sees it; null: there was none
   */
  List<RowWrite> before(String entity, List<RowWrite> rows, Function<TileKey, byte[]> before) {
    List<TileKey> untold = new ArrayList<>(rows.size());
    for (RowWrite row : rows) {
      if (!told(entity, row.key())) {
        untold.add(row.key());
      }
    }
    List<RowWrite> undo = new ArrayList<>(1);
    int from = 0;
    while (from < untold.size()) {
      int to = from;
      long bytes = 0;
      byte[][] were = new byte[untold.size() - from][];
      do {
        were[to - from] = before.apply(untold.get(to));
        bytes += length(were[to - from]);
        to++;
      } while (to < untold.size() && bytes + length(before.apply(untold.get(to))) <= BYTES_MAX);
      byte[] payload =
          UndoRowCodec.encode(undoRow(untold.subList(from, to), Arrays.copyOf(were, to - from)));
      TileKey key = UndoKey.of(new Epoch(attempt, checkpointId), sequence + undo.size());
      undo.add(RowWrite.undo(key, payload, ttlMs));
      lastUsed = Math.max(lastUsed, sequence + undo.size() - 1);
      from = to;
    }
    return undo;
  }

  private static int length(byte[] row) {
    return row == null ? 0 : row.length;
  }

  /** Hot path. */
  private static UndoRow undoRow(List<TileKey> keys, byte[][] rows) {
    UndoRow undo = new UndoRow(new int[keys.size()], new long[keys.size()], rows);
    for (int i = 0; i < keys.size(); i++) {
      undo.levels()[i] = keys.get(i).level();
      undo.startsMs()[i] = keys.get(i).startMs();
    }
    return undo;
  }

  private boolean told(String entity, TileKey key) {
    RowId row = new RowId(entity, key);
    if (touched.size() < touchedRowsMax) {
      return !touched.add(row);
    }
    return touched.contains(row);
  }
}
