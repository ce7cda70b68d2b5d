package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.lineage.History;
import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Cut;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A job, its store, its source and all that can befall them, by one seed: what the platform does
 * when something fails or is to be changed, by the rules that the deployer follows. What happens is
 * told by {@link ModelStep}s; in the end every row must equal a recount.
 */
final class ModelWorld extends ModelEngine {
  private static final long NEVER = Long.MAX_VALUE;

  ModelWorld(Config config, Broken broken) {
    super(config, broken);
  }

  // ---- Failures and recoveries

  /** Flink restarts the job from its newest checkpoint, or from what it was started with. */
  void restart() {
    die();
    long lastId = random.nextBoolean() ? job.lastId() : 0;
    if (checkpoints.isEmpty()) {
      startFromBase(job.deployment, job.query, false);
    } else {
      startFrom(checkpoints.get(checkpoints.size() - 1), job.deployment, false, lastId);
    }
  }

  /** The newest checkpoint is lost: the one before is taken. */
  void restartFromOlder() {
    if (checkpoints.size() < 2) {
      return;
    }
    die();
    checkpoints.remove(checkpoints.size() - 1);
    startFrom(checkpoints.get(checkpoints.size() - 1), replacement(), false, 0);
  }

  /** All checkpoints are lost: the job starts from the store at a cut. */
  void startFromStore() {
    die();
    checkpoints.clear();
    Map<Epoch, Cut> usable = usableCuts();
    if (!usable.isEmpty()) {
      List<Epoch> epochs = List.copyOf(usable.keySet());
      boolean newest = random.nextInt(3) > 0 || broken == Broken.OFF_THE_LINE;
      Epoch epoch = epochs.get(newest ? epochs.size() - 1 : random.nextInt(epochs.size()));
      long[] positions = positions(usable.get(epoch).positions());
      Attempt attempt = platform.attempts().get(epoch.attempt());
      long timeMs = cuts.get(epoch).timeMs();
      boolean own =
          attempt.recoveredAt(ModelJob.offsets(positions)) || broken == Broken.AGE_NOT_CHAINED;
      base = new Base(epoch, positions, own ? timeMs : Math.min(timeMs, attempt.dirtySinceMs()));
    }
    startFromBase(replacement(), job.query, false);
  }

  private static long[] positions(Offsets offsets) {
    long[] positions = new long[ModelEvents.PARTITIONS];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = offsets.next().getOrDefault("t/" + i, 0L);
    }
    return positions;
  }

  /** Returns the complete cuts of the line since the query was last changed, ascending. */
  private Map<Epoch, Cut> usableCuts() {
    History line = History.of(platform.attempts(), job.attempt().number());
    Map<Epoch, Cut> usable =
        new TreeMap<>(
            Comparator.comparingInt(Epoch::attempt).thenComparingLong(Epoch::checkpointId));
    Map<Epoch, List<CutPart>> parts = new HashMap<>();
    registry
        .parts()
        .forEach(
            part ->
                parts
                    .computeIfAbsent(
                        new Epoch(part.attempt(), part.checkpointId()), e -> new ArrayList<>())
                    .add(part));
    cuts.forEach(
        (epoch, info) -> {
          boolean onLine = line.contains(epoch) || broken == Broken.OFF_THE_LINE;
          boolean sinceBase =
              epoch.attempt() > base.epoch().attempt()
                  || (epoch.attempt() == base.epoch().attempt()
                      && epoch.checkpointId() >= base.epoch().checkpointId());
          if (onLine && sinceBase && info.query() == job.query && parts.containsKey(epoch)) {
            Cut.Search search = new Cut.Search();
            parts.get(epoch).forEach(search::add);
            search.found().ifPresent(cut -> usable.put(epoch, cut));
          }
        });
    return usable;
  }

  private String replacement() {
    replaced = job;
    String deployment = deployment();
    registry.setOwner(deployment);
    return deployment;
  }

  /** Flink restarts a job that was replaced; it must not get an attempt, or it reads on. */
  void oldJobRestarts() {
    if (replaced == null) {
      return;
    }
    if (broken == Broken.ANYBODY_CLAIMS) {
      registry.setOwner(replaced.deployment);
    }
    ModelStarts.Start start =
        new ModelStarts.Start(
            Origin.cut(job.attempt().start(), clock.nowMs()),
            replaced.deployment,
            replaced.query,
            job.positions,
            Map.of(),
            false,
            0);
    try {
      ModelJob old = starts.startReplaced(start, random);
      while (old.readOne(random)) {
        // All of it.
      }
      zombies.addAll(old.subtasks);
    } catch (ClaimRefusedException e) {
      return;
    } finally {
      registry.setOwner(job.deployment);
    }
  }

  // ---- Changes

  /** Waits until the attempt has recovered, then until no zombie can write any more. */
  private void waitForRecovered() {
    while (broken != Broken.NOT_RECOVERED && !job.isRecovered() && job.readOne(random)) {
      // Reads on.
    }
  }

  private void zombieGrace() {
    if (broken != Broken.NO_GRACE) {
      zombies.clear();
      store.deliverAll();
    }
  }

  void upgrade() {
    waitForRecovered();
    ModelJob.Checkpoint savepoint = stopWithSavepoint();
    zombieGrace();
    int query = (job.query + 1 + random.nextInt(ModelEvents.QUERIES - 1)) % ModelEvents.QUERIES;
    undoable = new Undoable(savepoint, base);
    segments.add(new ModelEvents.Segment(savepoint.positions(), query));
    base = new Base(savepoint.epoch(), savepoint.positions(), dirtySinceMs(savepoint));
    checkpoints.clear();
    checkpoints.add(savepoint.ofQuery(query));
    startFrom(checkpoints.get(0), replacement(), true, 0);
  }

  private long dirtySinceMs(ModelJob.Checkpoint checkpoint) {
    Attempt attempt = platform.attempts().get(checkpoint.epoch().attempt());
    return attempt.recoveredAt(ModelJob.offsets(checkpoint.positions()))
        ? checkpoint.timeMs()
        : Math.min(checkpoint.timeMs(), attempt.dirtySinceMs());
  }

  void rollBack() {
    if (undoable == null || !onLine(undoable.savepoint().epoch())) {
      return;
    }
    ModelJob.Checkpoint savepoint = undoable.savepoint();
    if (clock.nowMs() - savepoint.timeMs() > config.undoTtlMs() / 2 && broken != Broken.NO_AGE) {
      return; // Refused: too much may have expired.
    }
    die();
    zombieGrace();
    segments.remove(segments.size() - 1);
    base = undoable.base();
    undoable = null;
    checkpoints.clear();
    if (broken == Broken.NO_SWEEP) {
      checkpoints.add(savepoint);
      startFrom(savepoint, replacement(), false, 0);
      return;
    }
    long dirtySinceMs = dirtySinceMs(savepoint);
    Attempt sweep =
        platform.claim("sweep", savepoint.epoch(), dirtySinceMs, ModelJob.offsets(events.ends()));
    boolean whole = random.nextBoolean();
    platform.sweep(sweep, whole ? 1 : random.nextDouble(), random);
    ModelJob.Checkpoint swept = savepoint.startingAt(new Epoch(sweep.number(), 1));
    checkpoints.add(swept);
    base = new Base(swept.start(), swept.positions(), dirtySinceMs);
    startFrom(swept, replacement(), true, 0);
    if (!whole) {
      goOnSweeping(sweep);
    }
  }

  /** The sweep had crashed; while the job runs, it is done. */
  private void goOnSweeping(Attempt sweep) {
    for (int i = random.nextInt(12); i > 0; i--) {
      job.readOne(random);
      ModelSubtask subtask = anySubtask();
      if (random.nextBoolean()) {
        advance(subtask);
      } else {
        flush(subtask);
      }
    }
    Attempt resumed = sweep;
    if (broken == Broken.SWEEP_RENUMBERED) {
      String owner = job.deployment;
      resumed = platform.claim("sweep", sweep.start(), sweep.dirtySinceMs(), sweep.endOffsets());
      registry.setOwner(owner);
    }
    platform.sweep(resumed, 1, random);
  }

  private boolean onLine(Epoch epoch) {
    return History.of(platform.attempts(), job.attempt().number()).contains(epoch);
  }

  void rebuild() {
    if (random.nextBoolean()) {
      stopWithSavepoint();
    } else {
      die();
    }
    newGeneration();
    zombies.clear(); // Their table is another.
    int query = random.nextInt(ModelEvents.QUERIES);
    Attempt backfill = backfill(query);
    long[] positions = someway();
    segments.clear();
    segments.add(new ModelEvents.Segment(new long[ModelEvents.PARTITIONS], query));
    if (broken == Broken.BACKFILL_CHANGED) {
      long[] before = someway();
      platform.rewrite(backfill, events.recount(before, segments, clock));
      backfill = backfill(query);
      writeOver(backfill, events.recount(positions, segments, clock));
    } else {
      platform.rewrite(backfill, events.recount(positions, segments, clock));
      platform.repeatLater(backfill, events.recount(positions, segments, clock), random);
    }
    backfilled = events.changes(positions, segments);
    beginAt(new Epoch(backfill.number(), 1), positions, clock.nowMs(), query);
  }

  /** Writes rows, but does not know of those that are there. */
  private void writeOver(Attempt attempt, Map<String, Map<TileKey, byte[]>> rows) {
    rows.forEach(
        (entity, all) ->
            all.forEach(
                (key, row) ->
                    store.put(entity, key, row, WriteTime.of(attempt.number(), 1), NEVER)));
  }

  private Attempt backfill(int query) {
    return platform.claim(
        "backfill", Epoch.GENESIS, clock.nowMs(), ModelJob.offsets(events.ends()));
  }

  private long[] someway() {
    long[] positions = new long[ModelEvents.PARTITIONS];
    for (int i = 0; i < positions.length; i++) {
      long beginning = events.beginning(i);
      positions[i] = beginning + random.nextLong(events.end(i) - beginning + 1);
    }
    return positions;
  }

  /** Repairs rows that something beside the job has made wrong, and its state with them. */
  void repair() {
    waitForRecovered();
    ModelJob.Checkpoint savepoint = stopWithSavepoint();
    zombieGrace();
    damage(savepoint);
    Attempt repair =
        platform.claim(
            "repair", savepoint.epoch(), dirtySinceMs(savepoint), ModelJob.offsets(events.ends()));
    platform.rewrite(repair, events.recount(savepoint.positions(), segments, clock));
    if (broken == Broken.REPAIR_PASSED_BY) {
      undoable = null;
      checkpoints.clear();
      checkpoints.add(savepoint);
      startFrom(savepoint, replacement(), true, 0);
      return;
    }
    beginAt(new Epoch(repair.number(), 1), savepoint.positions(), clock.nowMs(), savepoint.query());
  }

  /** Empties the heads that are in the state, there and in the store. */
  private void damage(ModelJob.Checkpoint savepoint) {
    byte[] empty = Head.empty(layout).encode();
    long time = WriteTime.of(savepoint.epoch().attempt(), WriteTime.FLUSH_MAX);
    savepoint.heads().keySet().forEach(e -> store.put(e, TileStore.HEAD, empty, time, NEVER));
    savepoint.heads().replaceAll((entity, head) -> empty);
  }

  private void beginAt(Epoch epoch, long[] positions, long dirtySinceMs, int query) {
    undoable = null;
    checkpoints.clear();
    base = new Base(epoch, positions, dirtySinceMs);
    startFromBase(replacement(), query, true);
  }
}
