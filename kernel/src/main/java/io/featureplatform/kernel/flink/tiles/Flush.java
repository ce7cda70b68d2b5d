package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.ClosedTile;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * Brings the changes of a bundle to state and store.
 *
 * <ol>
 *   <li>Wait until the previous flush is acknowledged: what is read now must show it, and state may
 *       be evicted only after it (rule 11 of exactness).
 *   <li>Read heads that are not in state, and then, for entities with events older than their head,
 *       the closed rows that change. Nothing is written meanwhile: reads that queue behind writes
 *       of this job would be slow, and the bound on reads would take that for a busy store.
 *   <li>Apply: update state and start one batch of all rows that the entity's changes touched,
 *       after the undo row that says what they were (rule 3), if one is due.
 * </ol>
 *
 * All writes of a flush carry one timestamp. Runs on the task's thread, which waits when too much
 * is in flight. What it holds is bounded by the size of a bundle.
 */
final class Flush {
  private static final int CLOSED_ROWS_MAX = 20_000;

  /** An entity whose changes are to be applied; {@code headRow} is null if it has no row. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Subject(Bundle.Entry entry, byte[] headRow, Head head) {
    String entity() {
      return entry.entity();
    }
  }

  /** Rows that the store answered for an entity; without a subject they are those of the head. */
  private record Answer(Bundle.Entry entry, Subject subject, ReadBack.Found found) {}

  /** A subject with the rows of all closed tiles that its changes touch. */
  private record Ready(Subject subject, Map<TileKey, byte[]> closed) {}

  private final Layout layout;
  private final StoreAccess access;
  private final Clock clock;
  private final int attempt;
  private final FlushNumbers numbers;
  private final UndoLog undoLog;
  private final Changelog changelog;
  private final Heads heads;
  private final KernelMetrics metrics;
  private final ClosedRows closedRows = new ClosedRows(CLOSED_ROWS_MAX);
  private final ConcurrentLinkedQueue<Answer> answers = new ConcurrentLinkedQueue<>();
  private long writeTime;
  private long nowMs;

  /**
   * Makes the flushes of one attempt.
   *
   * @param undoLog null: without undo, which is for benchmarks alone
   */
  Flush(
      Layout layout,
      StoreAccess access,
      Clock clock,
      int attempt,
      FlushNumbers numbers,
      UndoLog undoLog,
      Changelog changelog,
      Heads heads,
      MetricGroup metrics) {
    this.layout = layout;
    this.access = access;
    this.clock = clock;
    this.attempt = attempt;
    this.numbers = numbers;
    this.undoLog = undoLog;
    this.changelog = changelog;
    this.heads = heads;
    this.metrics = new KernelMetrics(metrics);
    metrics.gauge("reads_in_flight", (Gauge<Integer>) access.reads()::count);
    metrics.gauge("reads_in_flight_limit", (Gauge<Integer>) access.reads()::limit);
    metrics.gauge("read_latency_ms", (Gauge<Double>) access.reads()::latencyMs);
    metrics.gauge("writes_in_flight", (Gauge<Integer>) access.writes()::count);
  }

  /** Waits until every write so far is acknowledged. */
  void awaitAcknowledged() throws InterruptedException {
    access.writes().awaitAll();
  }

  /**
   * Flushes what was taken from the bundle; returns when all its writes are started.
   *
   * @throws SuppressRestartsException this job must not continue: it was replaced, or what a dead
   *     attempt wrote cannot be undone
   */
  void run(Bundle.Taken taken, long checkpointId) throws Exception {
    if (taken.entries().isEmpty()) {
      return;
    }
    try {
      flush(taken, checkpointId);
    } catch (ClaimRefusedException e) {
      if (e instanceof ReadBack.FencedException) {
        metrics.fenced.inc();
      }
      throw new SuppressRestartsException(e);
    }
  }

  private void flush(Bundle.Taken taken, long checkpointId) throws Exception {
    awaitAcknowledged(); // 1
    nowMs = clock.nowMs();
    writeTime = WriteTime.of(attempt, numbers.next(checkpointId));
    changelog.flushed(taken.entries(), checkpointId, WriteTime.flush(writeTime));
    if (undoLog != null) {
      undoLog.begin();
    }
    for (Ready ready : read(taken.entries())) { // 3
      apply(ready.subject(), ready.closed());
    }
    metrics.flushed(taken.commands(), taken.entries().size(), clock.nowMs() - nowMs);
  }

  private List<Ready> read(List<Bundle.Entry> entries) throws Exception { // 2
    List<Ready> ready = new ArrayList<>(entries.size());
    for (Bundle.Entry entry : entries) {
      byte[] headRow = heads.get(entry.entity());
      if (headRow == null) {
        metrics.stateMisses.inc();
        ask(entry, null, TileStore.HEAD_ALONE);
      } else {
        metrics.stateHits.inc();
        takeOrAsk(subject(entry, headRow), ready);
      }
    }
    for (List<Answer> some = answers(); !some.isEmpty(); some = answers()) {
      for (Answer answer : some) {
        goOn(answer, ready);
      }
    }
    return ready;
  }

  private void ask(Bundle.Entry entry, Subject subject, Collection<TileKey> keys)
      throws InterruptedException {
    access
        .reads()
        .submit(
            () ->
                access
                    .readBack()
                    .read(entry.entity(), keys)
                    .thenAccept(found -> answers.add(new Answer(entry, subject, found))));
  }

  private List<Answer> answers() throws InterruptedException {
    access.reads().awaitAll();
    List<Answer> all = new ArrayList<>();
    for (Answer answer = answers.poll(); answer != null; answer = answers.poll()) {
      all.add(answer);
    }
    return all;
  }

  private Subject subject(Bundle.Entry entry, byte[] headRow) {
    return new Subject(
        entry, headRow, headRow == null ? Head.empty(layout) : Head.decode(layout, headRow));
  }

  private void goOn(Answer answer, List<Ready> ready) throws InterruptedException {
    metrics.readBackRows.inc(answer.found().rows().size());
    metrics.undoneRows.inc(answer.found().undone());
    metrics.unresolvedRows.inc(answer.found().unresolved());
    if (answer.subject() == null) {
      takeOrAsk(subject(answer.entry(), answer.found().rows().get(TileStore.HEAD)), ready);
    } else {
      ready.add(new Ready(answer.subject(), answer.found().rows()));
    }
  }

  private void takeOrAsk(Subject subject, List<Ready> ready) throws InterruptedException {
    List<TileKey> late = kept(subject.head().closedTilesTouched(subject.entry().changes()));
    Map<TileKey, byte[]> known = closedRows.find(subject.entity(), late);
    if (known == null) {
      ask(subject.entry(), subject, late);
    } else {
      ready.add(new Ready(subject, known));
    }
  }

  /** Leaves out tiles past their time: no row of theirs can be there, and none will be written. */
  private List<TileKey> kept(List<TileKey> tiles) {
    if (!tiles.isEmpty()) {
      tiles.removeIf(key -> layout.ttlSeconds(key, nowMs) <= 0);
    }
    return tiles;
  }

  private void apply(Subject subject, Map<TileKey, byte[]> closed) throws Exception {
    String entity = subject.entity();
    List<ClosedTile> changed = subject.head().apply(subject.entry().changes(), closed);
    byte[] headRow = subject.head().encode();
    heads.put(entity, headRow);
    List<RowWrite> rows = new ArrayList<>(1 + changed.size());
    rows.add(RowWrite.head(headRow));
    for (ClosedTile tile : changed) {
      long secondsLeft = layout.ttlSeconds(tile.key(), nowMs);
      if (secondsLeft > 0) { // Else no window can reach it (rule 13).
        closedRows.put(entity, tile.key(), tile.row());
        rows.add(RowWrite.closed(tile.key(), tile.row(), secondsLeft, nowMs));
      }
    }
    write(entity, undo(subject, closed, rows), rows);
  }

  /** A tile that leaves the head now is not among the closed ones: it had no row of its own. */
  private List<RowWrite> undo(Subject subject, Map<TileKey, byte[]> closed, List<RowWrite> rows) {
    return undoLog == null
        ? List.of()
        : undoLog.before(
            subject.entity(),
            rows,
            key -> key.equals(TileStore.HEAD) ? subject.headRow() : closed.get(key));
  }

  private void write(String entity, List<RowWrite> undo, List<RowWrite> rows)
      throws InterruptedException {
    long timestamp = writeTime; // Later flushes must not change that of a retry.
    access.writes().submit(() -> send(entity, undo, rows, timestamp));
    metrics.writtenRows.inc(rows.size());
    for (RowWrite row : rows) {
      metrics.writtenBytes.inc(row.payload().length);
    }
  }

  private CompletionStage<Void> send(
      String entity, List<RowWrite> undo, List<RowWrite> rows, long timestamp) {
    TileStore store = access.store();
    if (undo.isEmpty()) {
      return store.write(entity, rows, timestamp);
    }
    metrics.undoRowsWritten.inc(undo.size());
    CompletionStage<Void> told = store.write(entity, undo.subList(0, 1), timestamp);
    for (RowWrite next : undo.subList(1, undo.size())) {
      told = told.thenCompose(acknowledged -> store.write(entity, List.of(next), timestamp));
    }
    return told.thenCompose(acknowledged -> store.write(entity, rows, timestamp));
  }
}
