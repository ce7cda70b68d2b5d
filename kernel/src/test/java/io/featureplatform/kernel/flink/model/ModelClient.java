package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.concurrent.ConcurrentHooks;
import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;

/**
 * The store as one subtask sees it. Requests are under way until someone waits for them; then they
 * happen in any order, some after a time-out and a repetition, until the subtask crashes.
 */
final class ModelClient implements TileStore {
  /** How much longer a kernel keeps tiles that is to write those past their time. */
  static final long KEPT_LONGER_MS = 86_400_000;

  private static final int IN_FLIGHT_MAX = 3;
  private static final double TIMES_OUT = 0.05;

  /** The subtask is gone; what it had sent may arrive. */
  static final class Crash extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** A request under way; {@code batch} is null for a read. */
  private record Request(ModelStore.Batch batch, Runnable happens) {}

  final InFlight reads = ConcurrentHooks.inFlight(IN_FLIGHT_MAX, this::settle);
  final InFlight writes = ConcurrentHooks.inFlight(IN_FLIGHT_MAX, this::settle);

  private final ModelStore store;
  private final Broken broken;
  private final int attempt;
  private final List<Request> underWay = new ArrayList<>();
  private final Map<String, RowWrite> heldBack = new HashMap<>();
  private Random random;
  private int crashesIn = -1;

  ModelClient(ModelStore store, Broken broken, int attempt) {
    this.store = store;
    this.broken = broken;
    this.attempt = attempt;
  }

  void setRandom(Random random) {
    this.random = random;
  }

  /** Lets the subtask crash after so many more requests. */
  void crashIn(int requests) {
    crashesIn = requests;
  }

  /** What is under way is left to its fate. */
  void crash() {
    for (Request request : underWay) {
      if (request.batch != null) {
        store.limbo(request.batch);
      }
    }
    underWay.clear();
  }

  @Override
  public CompletionStage<Map<TileKey, StoredRow>> read(String entity, Collection<TileKey> keys) {
    CompletableFuture<Map<TileKey, StoredRow>> answer = new CompletableFuture<>();
    List<TileKey> wanted = List.copyOf(keys);
    underWay.add(
        new Request(null, () -> answer.complete(disguised(store.read(entity, wanted, asked())))));
    return answer;
  }

  @Override
  public CompletionStage<List<Undo>> undo(String entity, long from, long to, int limit) {
    CompletableFuture<List<Undo>> answer = new CompletableFuture<>();
    underWay.add(
        new Request(
            null,
            () -> {
              List<Undo> found = new ArrayList<>(store.undo(entity, from, to, limit, asked()));
              if (broken == Broken.LARGEST_UNDO) {
                Collections.reverse(found);
              }
              answer.complete(found);
            }));
    return answer;
  }

  @Override
  public CompletionStage<Void> write(String entity, List<RowWrite> rows, long timestamp) {
    if (broken == Broken.UNDO_WITH_ROWS && isUndo(rows.get(0))) {
      heldBack.put(entity, rows.get(0));
      return CompletableFuture.completedFuture(null);
    }
    List<RowWrite> all = new ArrayList<>(rows);
    if (broken == Broken.PAST_TILES_WRITTEN) {
      all.replaceAll(ModelClient::withTimeLeft);
    }
    if (heldBack.containsKey(entity)) {
      all.add(heldBack.remove(entity));
    }
    if (broken == Broken.UNDO_OVERWRITTEN && isUndo(rows.get(0))) {
      RowWrite undo = rows.get(0);
      long start = UndoKey.start(UndoKey.epoch(undo.key().startMs()), 0);
      all.set(
          0, new RowWrite(new TileKey(UndoKey.LEVEL, start), undo.payload(), undo.ttlSeconds()));
    }
    CompletableFuture<Void> acknowledgement = new CompletableFuture<>();
    ModelStore.Batch batch = store.batch(entity, all, numbered(timestamp));
    underWay.add(
        new Request(
            batch,
            () -> {
              store.acknowledge(batch);
              acknowledgement.complete(null);
            }));
    return isEager(rows) ? CompletableFuture.completedFuture(null) : acknowledgement;
  }

  @Override
  public void close() {
    // The store is the model's.
  }

  private static boolean isUndo(RowWrite row) {
    return row.key().level() == UndoKey.LEVEL;
  }

  /** Tells whether rows pass for acknowledged while they are under way. */
  private boolean isEager(List<RowWrite> rows) {
    return !isUndo(rows.get(0))
        && (broken == Broken.BARRIER_BEFORE_ACKNOWLEDGED
            || broken == Broken.READ_BEFORE_ACKNOWLEDGED);
  }

  /** Gives a closed tile the time that it has left; as TTL 0 does, none left makes it stay. */
  private static RowWrite withTimeLeft(RowWrite row) {
    if (row.key().level() < 0) {
      return row;
    }
    long secondsLeft = row.ttlSeconds() - KEPT_LONGER_MS / 1000;
    return RowWrite.closed(
        row.key(), row.payload(), secondsLeft > 0 ? secondsLeft : Integer.MAX_VALUE, 0);
  }

  /** Forgets which flush of a checkpoint it is where that is to be broken. */
  private long numbered(long timestamp) {
    long flush = WriteTime.flush(timestamp);
    return broken == Broken.FLUSHES_UNNUMBERED
        ? WriteTime.of(attempt, Math.max(1, flush - flush % FlushNumbers.PER_CHECKPOINT))
        : timestamp;
  }

  private int asked() {
    return broken == Broken.READS_OF_ONE ? 1 : 2;
  }

  /** Makes rows look like this attempt's own where a rule is to be broken. */
  private Map<TileKey, StoredRow> disguised(Map<TileKey, StoredRow> rows) {
    boolean anyOwn =
        rows.values().stream().anyMatch(row -> WriteTime.attempt(row.writeTime()) == attempt);
    rows.replaceAll(
        (key, row) -> {
          boolean disguise = broken == Broken.JUDGED_BY_ENTITY && anyOwn;
          return disguise ? new StoredRow(row.payload(), WriteTime.of(attempt, 1)) : row;
        });
    return rows;
  }

  /** Lets everything happen that is under way. */
  void settleAll() {
    while (!underWay.isEmpty()) {
      settleOne();
    }
  }

  private void settle(Semaphore permits, int count) {
    while (!permits.tryAcquire(count)) {
      if (underWay.isEmpty()) {
        throw new IllegalStateException("a subtask waits for requests that it has not sent");
      }
      settleOne();
    }
  }

  private void settleOne() {
    if (crashesIn == 0) {
      crash();
      throw new Crash();
    }
    crashesIn--;
    Request request = underWay.remove(random.nextInt(underWay.size()));
    if (request.batch != null && random.nextDouble() < TIMES_OUT) {
      store.limbo(request.batch); // The sender hears nothing and sends the same again.
      underWay.add(request);
      return;
    }
    request.happens.run();
  }
}
