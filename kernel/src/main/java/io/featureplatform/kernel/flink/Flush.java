package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.InFlight;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.ClosedTile;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * Brings the changes of a bundle to state and store.
 *
 * <ol>
 *   <li>Wait until the previous flush is acknowledged: what is read now must show it, and state may
 *       be evicted only after it.
 *   <li>Apply the changes of entities whose head is in state, and ask the store for missing heads.
 *   <li>Apply the changes of those read back. An entity with events older than its head needs the
 *       closed rows that change, in a second round.
 * </ol>
 *
 * To apply is to update state and to start one batch of all rows that the entity's changes touched.
 * All writes of a flush carry one timestamp. Runs on the task's thread, which waits when too much
 * is in flight.
 */
final class Flush {
  private static final int CLOSED_ROWS_MAX = 20_000;
  private static final Set<TileKey> HEAD_ALONE = Set.of(TileStore.HEAD);

  /** Rows that the store answered for an entity; without a head they are those of the head. */
  private record Answer(Bundle.Entry entry, Head head, Map<TileKey, StoredRow> rows) {}

  private final Layout layout;
  private final TileStore store;
  private final Clock clock;
  private final int attempt;
  private final HeadState heads;
  private final KernelMetrics metrics;
  private final InFlight reads;
  private final InFlight writes;
  private final ClosedRows closedRows = new ClosedRows(CLOSED_ROWS_MAX);
  private final ConcurrentLinkedQueue<Answer> answers = new ConcurrentLinkedQueue<>();
  private long number;
  private long writeTime;
  private long nowMs;

  Flush(
      JobSpec.Settings settings,
      Layout layout,
      TileStore store,
      Clock clock,
      int attempt,
      HeadState heads,
      MetricGroup metrics) {
    this.layout = layout;
    this.store = store;
    this.clock = clock;
    this.attempt = attempt;
    this.heads = heads;
    this.metrics = new KernelMetrics(metrics);
    this.reads = new InFlight(settings.readLimit());
    this.writes = new InFlight(settings.writesInFlightMax());
    metrics.gauge("reads_in_flight", (Gauge<Integer>) reads::count);
    metrics.gauge("reads_in_flight_limit", (Gauge<Integer>) reads::limit);
    metrics.gauge("read_latency_ms", (Gauge<Double>) reads::latencyMs);
    metrics.gauge("writes_in_flight", (Gauge<Integer>) writes::count);
  }

  /** Waits until every write so far is acknowledged. */
  void awaitAcknowledged() throws InterruptedException {
    writes.awaitAll();
  }

  /** Flushes what was taken from the bundle; returns when all its writes are started. */
  void run(Bundle.Taken taken) throws Exception {
    if (taken.entries().isEmpty()) {
      return;
    }
    awaitAcknowledged(); // 1
    nowMs = clock.nowMs();
    writeTime = WriteTime.of(attempt, ++number);
    for (Bundle.Entry entry : taken.entries()) { // 2
      Head head = heads.get(entry.entity());
      if (head == null) {
        metrics.stateMisses.inc();
        read(entry, null, HEAD_ALONE);
      } else {
        metrics.stateHits.inc();
        applyOrRead(entry, head);
      }
    }
    for (List<Answer> some = answers(); !some.isEmpty(); some = answers()) { // 3
      for (Answer answer : some) {
        goOn(answer);
      }
    }
    metrics.flushed(taken.commands(), taken.entries().size(), clock.nowMs() - nowMs);
  }

  private void read(Bundle.Entry entry, Head head, Collection<TileKey> keys)
      throws InterruptedException {
    reads.submit(
        () ->
            store
                .read(entry.entity(), keys)
                .thenAccept(rows -> answers.add(new Answer(entry, head, rows))));
  }

  private List<Answer> answers() throws InterruptedException {
    reads.awaitAll();
    List<Answer> all = new ArrayList<>();
    for (Answer answer = answers.poll(); answer != null; answer = answers.poll()) {
      all.add(answer);
    }
    return all;
  }

  private void goOn(Answer answer) throws Exception {
    checkWriters(answer);
    metrics.readBackRows.inc(answer.rows().size());
    Bundle.Entry entry = answer.entry();
    if (answer.head() == null) {
      StoredRow row = answer.rows().get(TileStore.HEAD);
      applyOrRead(entry, row == null ? Head.empty(layout) : Head.decode(layout, row.payload()));
      return;
    }
    Map<TileKey, byte[]> closed = new HashMap<>();
    answer.rows().forEach((key, row) -> closed.put(key, row.payload()));
    apply(entry, answer.head(), closed);
  }

  private void applyOrRead(Bundle.Entry entry, Head head) throws Exception {
    List<TileKey> late = kept(head.closedTilesTouched(entry.changes()));
    Map<TileKey, byte[]> known = closedRows.find(entry.entity(), late);
    if (known == null) {
      read(entry, head, late);
    } else {
      apply(entry, head, known);
    }
  }

  /** Leaves out tiles past their time: no row of theirs can be there, and none will be written. */
  private List<TileKey> kept(List<TileKey> tiles) {
    if (!tiles.isEmpty()) {
      tiles.removeIf(key -> layout.ttlSeconds(key, nowMs) <= 0);
    }
    return tiles;
  }

  private void apply(Bundle.Entry entry, Head head, Map<TileKey, byte[]> closed) throws Exception {
    String entity = entry.entity();
    List<ClosedTile> changed = head.apply(entry.changes(), closed);
    byte[] headRow = head.encode();
    heads.put(entity, headRow);
    List<RowWrite> rows = new ArrayList<>(1 + changed.size());
    rows.add(RowWrite.head(headRow));
    for (ClosedTile tile : changed) {
      long secondsLeft = layout.ttlSeconds(tile.key(), nowMs);
      if (secondsLeft > 0) { // Else no window can reach it (rule 13).
        closedRows.put(entity, tile.key(), tile.row());
        rows.add(RowWrite.closed(tile.key(), tile.row(), secondsLeft));
      }
    }
    write(entity, rows);
  }

  private void write(String entity, List<RowWrite> rows) throws InterruptedException {
    long timestamp = writeTime; // Later flushes must not change that of a retry.
    writes.submit(() -> store.write(entity, rows, timestamp));
    metrics.writtenRows.inc(rows.size());
    for (RowWrite row : rows) {
      metrics.writtenBytes.inc(row.payload().length);
    }
  }

  /** Stops a job that was replaced: a later attempt has written here (rule 4). */
  private void checkWriters(Answer answer) {
    for (StoredRow row : answer.rows().values()) {
      long writer = WriteTime.attempt(row.writeTime());
      if (writer > attempt) {
        throw new SuppressRestartsException(
            new ClaimRefusedException(
                "entity %s was written by attempt %d; this is attempt %d, which has been replaced"
                    .formatted(answer.entry().entity(), writer, attempt)));
      }
    }
  }
}
