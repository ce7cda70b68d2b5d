package io.featureplatform.kernel.lineage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.MemoryTileStore;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.TileKey;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Rows as an attempt sees them. Attempt 1 wrote up to its cut (1, 5), and on; 2 went on from there,
 * up to (2, 7), and on; 3 is ours, from (2, 7).
 */
class ReadBackTest {
  private static final TileKey CLOSED = new TileKey(0, 60_000);
  private static final long HOUR_MS = 3_600_000;

  private final ManualClock clock = new ManualClock(100 * HOUR_MS);
  private final MemoryTileStore store = new MemoryTileStore(clock);
  private final MemoryRegistry registry = new MemoryRegistry("d");
  private final Retry retry = new Retry(1_000, clock);
  private final Map<Integer, Attempt> attempts = new TreeMap<>();

  ReadBackTest() {
    add(1, Epoch.GENESIS, 0);
    add(2, new Epoch(1, 5), 5);
    add(3, new Epoch(2, 7), 7);
  }

  @AfterEach
  void closeRetry() {
    retry.close();
  }

  private void add(int number, Epoch start, long baseCheckpointId) {
    attempts.put(
        number,
        new Attempt(
            number,
            "run/" + number,
            "d",
            Attempt.STREAM,
            start,
            new Offsets(Map.of("t/0", 100L)),
            clock.nowMs(),
            baseCheckpointId,
            clock.nowMs(),
            false));
  }

  private ReadBack reader(long acceptedMs) {
    Attempt ours = attempts.get(3);
    return new ReadBack(
        store,
        new Claimed(ours, attempts),
        new Recovery(registry, retry, clock, "posts", ours, new Age(12 * HOUR_MS, acceptedMs)));
  }

  private ReadBack.Found read(TileKey... keys) {
    return read(Age.NEVER, keys);
  }

  private ReadBack.Found read(long acceptedMs, TileKey... keys) {
    return reader(acceptedMs).read("a", Set.of(keys)).toCompletableFuture().join();
  }

  private Throwable refusal(long acceptedMs) {
    return assertThrows(CompletionException.class, () -> read(acceptedMs, TileStore.HEAD))
        .getCause();
  }

  /** Lets an attempt write the head in this checkpoint, as its n-th flush there. */
  private void write(int attempt, long checkpointId, int flush, int value) {
    long number =
        (checkpointId - attempts.get(attempt).firstCheckpointId()) * FlushNumbers.PER_CHECKPOINT
            + flush;
    store.write("a", List.of(RowWrite.head(bytes(value))), WriteTime.of(attempt, number));
  }

  private void undo(int attempt, long checkpointId, int flush, Integer before) {
    byte[] payload =
        UndoRowCodec.encode(
            new UndoRow(
                new int[] {-1},
                new long[] {0},
                new byte[][] {before == null ? null : bytes(before)}));
    RowWrite row =
        RowWrite.undo(UndoKey.of(new Epoch(attempt, checkpointId), flush), payload, HOUR_MS);
    store.write("a", List.of(row), WriteTime.of(attempt, 1));
  }

  private static byte[] bytes(int value) {
    return new byte[] {(byte) value};
  }

  private static void assertHead(Integer value, ReadBack.Found found) {
    assertArrayEquals(value == null ? null : bytes(value), found.rows().get(TileStore.HEAD));
  }

  /** What is not there was never written, or nobody can ask for it: no undo row is looked for. */
  @Test
  void absentIsAbsent() {
    assertEquals(Map.of(), read(TileStore.HEAD, CLOSED).rows());
    assertEquals(0, store.undoReads());
  }

  /** Rows of the history are as they are, and cost one read. */
  @Test
  void rowsOfTheHistoryAreAsTheyAre() {
    write(1, 5, 1, 10);
    assertHead(10, read(TileStore.HEAD));
    write(2, 7, 900, 20);
    assertHead(20, read(TileStore.HEAD));
    write(3, 8, 1, 30);
    assertHead(30, read(TileStore.HEAD));
    assertEquals(0, store.undoReads());
  }

  /** A row written after the start of this attempt's history went on is undone. */
  @Test
  void deadRowsAreUndone() {
    undo(2, 8, 1, 20);
    write(2, 8, 1, 21);
    ReadBack.Found found = read(TileStore.HEAD);
    assertHead(20, found);
    assertEquals(1, found.undone());
    assertEquals(1, store.undoReads());
  }

  /** A row that a dead epoch was the first to write is not there. */
  @Test
  void whatWasNotThereIsNotThere() {
    undo(2, 8, 1, null);
    write(2, 8, 1, 21);
    assertEquals(Map.of(), read(TileStore.HEAD).rows());
  }

  /** Several dead epochs and flushes: what was before the first counts. */
  @Test
  void theSmallestUndoEpochCounts() {
    undo(2, 8, 1, 20);
    undo(2, 8, 2, 21);
    undo(2, 9, 1, 22);
    write(2, 9, 1, 23);
    assertHead(20, read(TileStore.HEAD));
  }

  /** Two crashes with a checkpoint between them, before the dirty event is reached again. */
  @Test
  void anUndoEpochOlderThanTheStartCounts() {
    undo(1, 6, 1, 10); // Dead since attempt 2 started from (1, 5).
    write(1, 6, 1, 11);
    assertHead(10, read(TileStore.HEAD));
  }

  /** Undo entries that another dead attempt left say nothing about this row. */
  @Test
  void onlyTheWritersHistoryIsAsked() {
    undo(1, 6, 1, 10); // Dead, and not in the history of attempt 2.
    undo(2, 6, 1, 10);
    write(2, 6, 1, 12); // Attempt 2 has counted it anew: alive.
    undo(2, 8, 1, 12);
    write(2, 8, 1, 13);
    assertHead(12, read(TileStore.HEAD));
  }

  /** A flush whose number proves nothing is of the history if no undo entry says otherwise. */
  @Test
  void manyFlushesOfACheckpointCostASecondRead() {
    write(2, 7, (int) FlushNumbers.PER_CHECKPOINT + 5, 20);
    assertHead(20, read(TileStore.HEAD));
    assertEquals(1, store.undoReads());
  }

  /** More undo rows than one page: the search goes on. */
  @Test
  void theSearchGoesOn() {
    for (int i = 1; i <= ReadBack.UNDO_PAGE + 3; i++) {
      byte[] other =
          UndoRowCodec.encode(
              new UndoRow(new int[] {0}, new long[] {60_000}, new byte[][] {bytes(1)}));
      RowWrite row = RowWrite.undo(UndoKey.of(new Epoch(2, 8), i), other, HOUR_MS);
      store.write("a", List.of(row), WriteTime.of(2, i));
    }
    undo(2, 9, 1, 20);
    write(2, 9, 1, 21);
    assertHead(20, read(TileStore.HEAD));
    assertEquals(2, store.undoReads());
  }

  /** Each row is judged by its own writer. */
  @Test
  void rowsAreJudgedOneByOne() {
    write(3, 8, 1, 30);
    byte[] undo =
        UndoRowCodec.encode(
            new UndoRow(new int[] {0}, new long[] {60_000}, new byte[][] {bytes(1)}));
    store.write(
        "a",
        List.of(RowWrite.undo(UndoKey.of(new Epoch(2, 8), 1), undo, HOUR_MS)),
        WriteTime.of(2, 1));
    store.write("a", List.of(RowWrite.closed(CLOSED, bytes(2), 600, 0)), WriteTime.of(2, 2049));
    ReadBack.Found found = read(TileStore.HEAD, CLOSED);
    assertHead(30, found);
    assertArrayEquals(bytes(1), found.rows().get(CLOSED));
  }

  /** A later attempt has written here: this job has been replaced. */
  @Test
  void laterWritersFence() {
    store.write("a", List.of(RowWrite.head(bytes(1))), WriteTime.of(4, 1));
    assertEquals(ReadBack.FencedException.class, refusal(clock.nowMs()).getClass());
  }

  /** A dead row of which nothing tells what it was is never taken as it is, unless accepted. */
  @Test
  void unresolvedRowsAreRefused() {
    attempts.put(3, withStart(3, new Epoch(1, 5)));
    write(2, 6, 1, 21); // Its undo row has expired.
    assertEquals(ClaimRefusedException.class, refusal(Age.NEVER).getClass());
    ReadBack.Found found = read(clock.nowMs(), TileStore.HEAD);
    assertHead(21, found);
    assertEquals(1, found.unresolved());
  }

  /** An acceptance is for what attempts left that had begun by then, not for later ones. */
  @Test
  void acceptancesAreForWhatWasThere() {
    long acceptedMs = clock.nowMs();
    clock.advance(HOUR_MS);
    add(2, new Epoch(1, 5), 5);
    attempts.put(3, withStart(3, new Epoch(1, 5)));
    write(2, 6, 1, 21);
    assertEquals(ClaimRefusedException.class, refusal(acceptedMs).getClass());
  }

  private Attempt withStart(int number, Epoch start) {
    Attempt old = attempts.get(number);
    return new Attempt(
        number,
        old.execution(),
        old.deployment(),
        old.kind(),
        start,
        old.endOffsets(),
        old.claimedMs(),
        start.checkpointId(),
        old.dirtySinceMs(),
        old.clean());
  }

  /** An attempt that has not recovered for too long undoes nothing more, and asks. */
  @Test
  void oldUndoIsAsked() throws Exception {
    undo(2, 8, 1, 20);
    write(2, 8, 1, 21);
    clock.advance(11 * HOUR_MS + 1);
    undo(2, 8, 1, 20);
    assertEquals(Age.TooOldException.class, refusal(Age.NEVER).getClass());
    assertHead(20, read(clock.nowMs(), TileStore.HEAD));
    cut(99);
    assertEquals(Age.TooOldException.class, refusal(Age.NEVER).getClass());
    cut(100);
    assertHead(20, read(TileStore.HEAD)); // It has recovered.
  }

  private void cut(long position) throws Exception {
    Offsets at = new Offsets(Map.of("t/0", position));
    registry.record(new CutPart(3, position, "intake-0", 1, at)).toCompletableFuture().get();
    registry.record(new CutPart(3, position, "kernel-0", 1, null)).toCompletableFuture().get();
  }
}
