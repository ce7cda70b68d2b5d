package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.row.UndoRow;
import io.featureplatform.kernel.row.UndoRowCodec;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/**
 * Reads rows as they are for this attempt (rule 4 of exactness), whatever abandoned ones have
 * written.
 *
 * <p>A row that was written by an epoch of this attempt's history is as it is. Any other is undone:
 * of the undo entries for it in its writer's history that are not in this one's, the one with the
 * smallest epoch says what it was. Smallest, for later ones were made by what was abandoned
 * already; in its writer's history, for other abandoned attempts knew nothing of this row's value.
 *
 * <p>Rows are read first: a row that is seen has its undo row acknowledged (rule 3), so reading
 * them afterwards finds it. A row that is not there needs none: it was never written, or what wrote
 * it was undone by a sweep, or no window can reach it any more.
 *
 * <p>Nothing blocks; all of it may run on the store's threads.
 */
public final class ReadBack {
  /** Undo rows asked for at once. The first one nearly always holds what is looked for. */
  static final int UNDO_PAGE = 64;

  /**
   * What was found.
   *
   * @param rows by key; a key without a row is missing
   * @param undone how many rows have the value they had before an abandoned epoch
   * @param unresolved how many are taken as they are although they are off the history
   */
  public record Found(Map<TileKey, byte[]> rows, int undone, int unresolved) {}

  private final TileStore store;
  private final Recovery recovery;
  private final int attempt;
  private final Map<Integer, Attempt> attempts;
  private final History mine;
  private final IntFunction<History> histories;

  /** Reads for an attempt. */
  public ReadBack(TileStore store, Claimed claimed, Recovery recovery) {
    this(store, claimed, recovery, memo(claimed));
  }

  /** As above, for tests of what other histories would bring. */
  ReadBack(
      TileStore store, Claimed claimed, Recovery recovery, IntFunction<History> writersHistories) {
    this.store = store;
    this.recovery = recovery;
    this.attempt = claimed.attempt().number();
    this.attempts = claimed.attempts();
    this.mine = History.of(claimed.attempts(), attempt);
    this.histories = writersHistories;
  }

  /** Thrown to a job that has been replaced: a later attempt has written here. */
  public static final class FencedException extends ClaimRefusedException {
    private static final long serialVersionUID = 1L;

    FencedException(String message) {
      super(message);
    }
  }

  /**
   * Reads rows of one entity.
   *
   * @return fails with {@link ClaimRefusedException} if this job must not continue
   */
  public CompletionStage<Found> read(String entity, Collection<TileKey> keys) {
    return store.read(entity, keys).thenCompose(rows -> resolve(entity, rows));
  }

  private CompletionStage<Found> resolve(String entity, Map<TileKey, StoredRow> rows) {
    Map<TileKey, byte[]> values = new HashMap<>();
    List<Doubt> doubts = new ArrayList<>(0);
    rows.forEach(
        (key, row) -> {
          int writer = (int) WriteTime.attempt(row.writeTime());
          checkNotReplaced(entity, writer);
          if (isMine(writer, WriteTime.flush(row.writeTime()))) {
            values.put(key, row.payload());
          } else {
            doubts.add(new Doubt(key, row.payload(), writer, histories.apply(writer)));
          }
        });
    if (doubts.isEmpty()) {
      return CompletableFuture.completedFuture(new Found(values, 0, 0));
    }
    return recovery
        .checkAge()
        .thenCompose(inTime -> new Search(entity, doubts, values).from(firstDead(doubts)));
  }

  private void checkNotReplaced(String entity, int writer) {
    if (writer > attempt) {
      throw new FencedException(
          "entity %s was written by attempt %d; this is attempt %d, which has been fenced off"
              .formatted(entity, writer, attempt));
    }
  }

  /** Returns whether the row is surely of this history, without asking for undo rows. */
  private boolean isMine(int writer, long flush) {
    Attempt known = attempts.get(writer);
    return known != null && mine.contains(writer, known.checkpointIdAtMost(flush));
  }

  private Epoch firstDead(List<Doubt> doubts) {
    Epoch first = doubts.get(0).theirs.leaves(mine);
    for (Doubt doubt : doubts) {
      Epoch other = doubt.theirs.leaves(mine);
      boolean earlier =
          other.attempt() < first.attempt()
              || (other.attempt() == first.attempt()
                  && other.checkpointId() < first.checkpointId());
      first = earlier ? other : first;
    }
    return first;
  }

  private static IntFunction<History> memo(Claimed claimed) {
    Map<Integer, History> known = new ConcurrentHashMap<>();
    return writer ->
        known.computeIfAbsent(writer, number -> History.of(claimed.attempts(), number));
  }

  /** A row that may have been written by an abandoned epoch, with its writer's history. */
  private record Doubt(TileKey key, byte[] payload, int writer, History theirs) {}

  /** Goes through an entity's undo rows, ascending, until every doubt is settled. */
  private final class Search {
    private final String entity;
    private final List<Doubt> open;
    private final Map<TileKey, byte[]> values;
    private final long last;
    private int undone;
    private int unresolved;

    Search(String entity, List<Doubt> doubts, Map<TileKey, byte[]> values) {
      this.entity = entity;
      this.open = doubts;
      this.values = values;
      int writer = doubts.stream().mapToInt(Doubt::writer).max().orElseThrow();
      this.last = UndoKey.start(new Epoch(writer, UndoKey.CHECKPOINT_ID_MAX), UndoKey.SEQUENCE_MAX);
    }

    CompletionStage<Found> from(Epoch first) {
      return from(UndoKey.start(first, 0));
    }

    private CompletionStage<Found> from(long start) {
      return store
          .undo(entity, start, last, UNDO_PAGE)
          .thenCompose(
              page -> {
                page.forEach(this::settle);
                if (open.isEmpty() || page.size() < UNDO_PAGE) {
                  finish();
                  return CompletableFuture.completedFuture(new Found(values, undone, unresolved));
                }
                return from(page.get(page.size() - 1).start() + 1);
              });
    }

    private void settle(TileStore.Undo undo) {
      Epoch epoch = UndoKey.epoch(undo.start());
      if (mine.contains(epoch)) {
        return;
      }
      UndoRow before = null;
      for (Iterator<Doubt> each = open.iterator(); each.hasNext(); ) {
        Doubt doubt = each.next();
        if (doubt.theirs.contains(epoch)) {
          before = before == null ? UndoRowCodec.decode(undo.payload()) : before;
          int entry = find(before, doubt.key);
          if (entry >= 0) {
            undo(doubt.key, before.rows()[entry]);
            each.remove();
          }
        }
      }
    }

    private void undo(TileKey key, byte[] row) {
      undone++;
      if (row != null) {
        values.put(key, row);
      }
    }

    /** What no undo row names was written in this history, or must not be guessed. */
    private void finish() {
      for (Doubt doubt : open) {
        if (!mine.meets(doubt.writer)) {
          refuseUnlessAccepted(doubt);
          unresolved++;
        }
        values.put(doubt.key, doubt.payload);
      }
    }

    private void refuseUnlessAccepted(Doubt doubt) {
      if (!recovery.acceptsUnresolved(attempts.get(doubt.writer))) {
        throw new ClaimRefusedException(
            ("row %s of entity %s was written by the abandoned attempt %d and there is no undo row"
                    + " with its earlier value: start over (fp delete, then fp apply), or keep the row"
                    + " as it is: fp recover --from store --accept-age")
                .formatted(doubt.key, entity, doubt.writer));
      }
    }
  }

  private static int find(UndoRow undo, TileKey key) {
    for (int i = 0; i < undo.rows().length; i++) {
      if (undo.levels()[i] == key.level() && undo.startsMs()[i] == key.startMs()) {
        return i;
      }
    }
    return -1;
  }
}
