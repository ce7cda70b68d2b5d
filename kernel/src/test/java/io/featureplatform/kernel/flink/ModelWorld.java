package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.row.Carrier;
import io.featureplatform.kernel.store.Age;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Claim;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Claimed;
import io.featureplatform.kernel.store.Cut;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.History;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.Origin;
import io.featureplatform.kernel.store.Recovery;
import io.featureplatform.kernel.store.Retry;
import io.featureplatform.kernel.tile.Column;
import io.featureplatform.kernel.tile.Grid;
import io.featureplatform.kernel.tile.Kind;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * A job, its store, its source and all that can befall them, on one thread and one seed: the real
 * kernel between fakes. What happens is told by {@link ModelStep}s; in the end every row must equal
 * a recount.
 */
final class ModelWorld {
  /**
   * What a schedule runs under.
   *
   * @param undoTtlMs how long undo rows are kept
   * @param retentionMs how long closed tiles are kept, by level
   * @param touchedRowsMax how many touched rows a subtask remembers
   */
  record Config(long undoTtlMs, long[] retentionMs, int touchedRowsMax) {}

  /** Rows differ from the recount, or the job stopped although it need not have. */
  static final class ViolationException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ViolationException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The job asked a person, which is right and ends the schedule. */
  static final class AskedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    AskedException(Throwable cause) {
      super(cause);
    }
  }

  /** Where a start without any checkpoint or cut begins. */
  private record Base(Epoch epoch, long[] positions, long dirtySinceMs) {}

  /** What a rollback goes back to. */
  private record Undoable(ModelJob.Checkpoint savepoint, Base base) {}

  /** What a cut is besides the parts in the registry. */
  private record CutInfo(long timeMs, int query) {}

  static final String ENTITIES = "abc";
  private static final long STEP_MS = 5_000;
  private static final long START_MS = 1_700_000_040_000L;

  /** A write that was long under way counts its time to live from when it arrives. */
  private static final long TTL_SLACK_MS = 600_000;

  private static final double KEPT_IN_STATE = 0.7;
  private static final Retry RETRY = new Retry(0, () -> 0);

  final ManualClock clock = new ManualClock(START_MS);
  final Layout layout;
  final ModelEvents events;
  final List<ModelSubtask> zombies = new ArrayList<>();
  ModelStore store;
  ModelJob job;
  private final Config config;
  private final Broken broken;
  private final JobSpec spec;
  private final List<ModelEvents.Segment> segments = new ArrayList<>();
  private final List<ModelJob.Checkpoint> checkpoints = new ArrayList<>();
  private final Map<Epoch, CutInfo> cuts =
      new TreeMap<>(
          java.util.Comparator.comparingInt(Epoch::attempt).thenComparingLong(Epoch::label));
  private MemoryRegistry registry;
  private ModelPlatform platform;
  private ModelJob replaced;
  private Base base;
  private Undoable undoable;
  private Random random = new Random(0);
  private int names;

  ModelWorld(Config config, Broken broken) {
    this.config = config;
    this.broken = broken;
    this.layout = layout(config.retentionMs());
    this.events = new ModelEvents(layout);
    this.spec =
        new JobSpec(
            "model",
            1,
            "",
            "",
            null,
            "",
            null,
            new JobSpec.Settings(1_000, 4, 0, 3, 3, 0, config.undoTtlMs()),
            null,
            null,
            null,
            broken == Broken.NO_UNDO);
    newGeneration();
    segments.add(new ModelEvents.Segment(new long[ModelEvents.PARTITIONS], 0));
    base = new Base(Epoch.GENESIS, new long[ModelEvents.PARTITIONS], clock.nowMs());
    startFromBase(replacement(), 0, true);
  }

  private static Layout layout(long[] retentionMs) {
    Column[] columns = {
      new Column(0, 0, "_events", Kind.COUNT, Carrier.INT, 0, List.of(0, 1), true),
      new Column(1, 1, "sum", Kind.SUM, Carrier.INT, 0, List.of(0, 1), true),
      new Column(2, 2, "max", Kind.MAX, Carrier.INT, 0, List.of(0), true)
    };
    Grid grid =
        new Grid(new long[] {ModelEvents.MINUTE_MS, 2 * ModelEvents.MINUTE_MS}, new int[] {1, 1});
    return new Layout(grid, retentionMs, List.of(columns));
  }

  private void newGeneration() {
    store = new ModelStore(clock);
    store.setRandom(random);
    registry = new MemoryRegistry("");
    platform = new ModelPlatform(registry, store, layout, clock, broken);
    replaced = null;
  }

  private String deployment() {
    names++;
    return "deployment-" + names;
  }

  // ---- Steps

  /** Lets one thing happen; everything by chance in it comes from the step's own seed. */
  void step(ModelStep step) {
    clock.advance(STEP_MS);
    random = new Random(step.seed());
    store.setRandom(random);
    job.subtasks.forEach(subtask -> subtask.setRandom(random));
    zombies.forEach(subtask -> subtask.setRandom(random));
    step.action().happen(this, random);
  }

  void append() {
    long minute = clock.nowMs() / ModelEvents.MINUTE_MS;
    long late = random.nextInt(3) == 0 ? random.nextInt(5) : 0;
    events.add(
        random.nextInt(ModelEvents.PARTITIONS),
        ENTITIES.substring(random.nextInt(ENTITIES.length())).substring(0, 1),
        (minute - late) * ModelEvents.MINUTE_MS);
  }

  void advance(ModelSubtask subtask) {
    live(
        () -> {
          long barrier = subtask.step();
          if (barrier > 0) {
            passed(subtask, barrier);
          }
          return null;
        });
  }

  private void passed(ModelSubtask subtask, long barrier) {
    job.passed(subtask, barrier, random);
    checkpoints.addAll(job.completed);
    job.completed.clear();
  }

  void flush(ModelSubtask subtask) {
    live(
        () -> {
          subtask.flush();
          return null;
        });
  }

  /** Does something of the running job, which must not fail. */
  private void live(Callable<Void> action) {
    try {
      action.call();
    } catch (SuppressRestartsException e) {
      throw judged(e.getCause());
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static RuntimeException judged(Throwable refusal) {
    return refusal instanceof Age.TooOldException
        ? new AskedException(refusal)
        : new ViolationException("the job stopped: " + refusal.getMessage(), refusal);
  }

  void trigger() {
    cuts.put(
        new Epoch(job.attempt().number(), job.lastId() + 1), new CutInfo(clock.nowMs(), job.query));
    job.trigger(random, clock.nowMs(), false);
  }

  void expireState() {
    ModelSubtask subtask = anySubtask();
    if (!subtask.heads.rows.isEmpty()) {
      List<String> known = List.copyOf(subtask.heads.rows.keySet());
      subtask.heads.rows.remove(known.get(random.nextInt(known.size())));
    }
  }

  ModelSubtask anySubtask() {
    return job.subtasks.get(random.nextInt(job.subtasks.size()));
  }

  /** A subtask of a dead run that did not notice goes on. */
  void wakeZombie() {
    if (zombies.isEmpty()) {
      return;
    }
    ModelSubtask zombie = zombies.get(random.nextInt(zombies.size()));
    boolean dies = random.nextInt(4) == 0;
    if (dies) {
      zombies.remove(zombie);
    }
    finish(zombie, dies, random.nextBoolean());
  }

  /** Lets a dead subtask do its last things; what it meets is its own trouble. */
  private void finish(ModelSubtask subtask, boolean crashes, boolean steps) {
    if (crashes) {
      subtask.client.crashIn(random.nextInt(8));
    }
    try {
      if (steps) {
        subtask.step();
      } else {
        subtask.flush();
      }
    } catch (ModelClient.Crash | SuppressRestartsException e) {
      zombies.remove(subtask);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    if (crashes) {
      subtask.client.crash();
    }
  }

  /** The run dies: some subtasks in the middle of a flush, some without noticing. */
  private void die() {
    job.abort();
    for (ModelSubtask subtask : job.subtasks) {
      double fate = random.nextDouble();
      if (fate < 0.35) {
        zombies.add(subtask);
      } else if (fate < 0.7) {
        finish(subtask, true, random.nextInt(3) == 0);
      } else {
        subtask.client.crash();
      }
    }
  }

  /** Someone reads rows, which repairs them. */
  void serve() {
    String entity = ENTITIES.substring(random.nextInt(ENTITIES.length())).substring(0, 1);
    store.read(entity, List.copyOf(store.rows(entity).keySet()), 2);
  }

  // ---- Starts

  private void startFromBase(String deployment, int query, boolean clean) {
    Origin origin =
        base.epoch.equals(Epoch.GENESIS)
            ? Origin.genesis()
            : Origin.cut(base.epoch, base.dirtySinceMs);
    start(origin, deployment, query, base.positions, Map.of(), clean, 0);
  }

  private void startFrom(ModelJob.Checkpoint from, String deployment, boolean clean, long lastId) {
    Origin origin =
        broken == Broken.AGE_NOT_CHAINED
            ? Origin.cut(from.start(), from.timeMs())
            : Origin.restored(
                from.epoch(), from.start(), from.timeMs(), ModelJob.offsets(from.positions()));
    start(
        origin,
        deployment,
        from.query(),
        from.positions(),
        from.heads(),
        clean,
        Math.max(lastId, from.epoch().label()));
    from.inChannels().forEach(job::route);
  }

  private void start(
      Origin origin,
      String deployment,
      int query,
      long[] positions,
      Map<String, byte[]> heads,
      boolean clean,
      long lastId) {
    boolean restart = job != null && deployment.equals(job.deployment);
    Claimed claimed =
        restart && broken == Broken.ATTEMPT_KEPT_ON_RESTART
            ? job.claimed
            : claim(origin, deployment, clean);
    job = new ModelJob(claimed, deployment, query, positions, lastId, events, registry, broken);
    Recovery recovery = new Recovery(registry, RETRY, clock, "model", claimed.attempt(), age());
    int parallelism = 1 + random.nextInt(2);
    for (int i = 0; i < parallelism; i++) {
      ModelSubtask subtask =
          new ModelSubtask(
              i, claimed, store, recovery, spec, layout, clock, broken, config.touchedRowsMax());
      subtask.setRandom(random);
      job.subtasks.add(subtask);
    }
    heads.forEach(
        (entity, row) -> {
          if (random.nextDouble() < KEPT_IN_STATE) { // The rest has expired.
            job.subtaskOf(entity).heads.rows.put(entity, row);
          }
        });
  }

  private Age age() {
    return new Age(config.undoTtlMs(), broken == Broken.NO_AGE);
  }

  private Claimed claim(Origin origin, String deployment, boolean clean) {
    if (broken == Broken.OFF_THE_LINE) {
      return claimAnyway(origin, deployment);
    }
    names++;
    try {
      return new Claim(registry, RETRY, clock)
          .claim(
              new Claim.Request(
                  "model",
                  "run-" + names,
                  deployment,
                  origin,
                  clean,
                  age(),
                  () -> ModelJob.offsets(events.ends())));
    } catch (ClaimRefusedException e) {
      throw judged(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Claims without asking whether the start is on the line. */
  private Claimed claimAnyway(Origin origin, String deployment) {
    platform.claim(Attempt.STREAM, origin.start(), clock.nowMs(), ModelJob.offsets(events.ends()));
    registry.setOwner(deployment);
    Map<Integer, Attempt> attempts = platform.attempts();
    return new Claimed(attempts.get(attempts.size()), attempts);
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
            java.util.Comparator.comparingInt(Epoch::attempt).thenComparingLong(Epoch::label));
    Map<Epoch, List<io.featureplatform.kernel.store.CutPart>> parts = new java.util.HashMap<>();
    registry
        .parts()
        .forEach(
            part ->
                parts
                    .computeIfAbsent(
                        new Epoch(part.attempt(), part.label()), e -> new ArrayList<>())
                    .add(part));
    cuts.forEach(
        (epoch, info) -> {
          boolean onLine = line.contains(epoch) || broken == Broken.OFF_THE_LINE;
          boolean sinceBase =
              epoch.attempt() > base.epoch.attempt()
                  || (epoch.attempt() == base.epoch.attempt()
                      && epoch.label() >= base.epoch.label());
          if (onLine && sinceBase && info.query == job.query && parts.containsKey(epoch)) {
            io.featureplatform.kernel.store.Hooks.complete(parts.get(epoch))
                .ifPresent(cut -> usable.put(epoch, cut));
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

  /** Flink restarts a job that was replaced; it must not get an attempt. */
  void oldJobRestarts() {
    if (replaced == null) {
      return;
    }
    String owner = job.deployment;
    Epoch start = job.attempt().start();
    if (broken == Broken.ANYBODY_CLAIMS) {
      registry.setOwner(replaced.deployment);
    }
    names++;
    try {
      Claimed claimed =
          new Claim(registry, RETRY, clock)
              .claim(
                  new Claim.Request(
                      "model",
                      "run-" + names,
                      replaced.deployment,
                      Origin.cut(start, clock.nowMs()),
                      false,
                      new Age(config.undoTtlMs(), true),
                      () -> ModelJob.offsets(events.ends())));
      ModelJob current = job;
      revive(claimed);
      job = current;
    } catch (ClaimRefusedException e) {
      return;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    } finally {
      registry.setOwner(owner);
    }
  }

  /** The replaced job reads on from where the running one started, and flushes. */
  private void revive(Claimed claimed) {
    ModelJob old =
        new ModelJob(
            claimed,
            replaced.deployment,
            replaced.query,
            job.positions,
            0,
            events,
            registry,
            broken);
    Recovery recovery = new Recovery(registry, RETRY, clock, "model", claimed.attempt(), age());
    ModelSubtask subtask =
        new ModelSubtask(
            0, claimed, store, recovery, spec, layout, clock, broken, config.touchedRowsMax());
    subtask.setRandom(random);
    old.subtasks.add(subtask);
    while (old.readOne(random)) {
      // All of it.
    }
    zombies.add(subtask);
  }

  // ---- Changes

  private ModelJob.Checkpoint stopWithSavepoint() {
    job.abort();
    cuts.put(
        new Epoch(job.attempt().number(), job.lastId() + 1), new CutInfo(clock.nowMs(), job.query));
    job.trigger(random, clock.nowMs(), true);
    for (ModelSubtask subtask : job.subtasks) {
      while (!subtask.channel.isEmpty()) {
        advance(subtask);
      }
    }
    return checkpoints.get(checkpoints.size() - 1);
  }

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
    if (undoable == null || !onLine(undoable.savepoint.epoch())) {
      return;
    }
    ModelJob.Checkpoint savepoint = undoable.savepoint;
    if (clock.nowMs() - savepoint.timeMs() > config.undoTtlMs() / 2 && broken != Broken.NO_AGE) {
      return; // Refused: too much may have expired.
    }
    die();
    zombieGrace();
    segments.remove(segments.size() - 1);
    base = undoable.base;
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
    beginAt(new Epoch(backfill.number(), 1), positions, clock.nowMs(), query);
  }

  /** Writes rows, but does not know of those that are there. */
  private void writeOver(Attempt attempt, Map<String, Map<TileKey, byte[]>> rows) {
    rows.forEach(
        (entity, all) ->
            all.forEach(
                (key, row) ->
                    store.put(
                        entity,
                        key,
                        row,
                        io.featureplatform.kernel.store.WriteTime.of(attempt.number(), 1),
                        Long.MAX_VALUE)));
  }

  private Attempt backfill(int query) {
    return platform.claim(
        "backfill", Epoch.GENESIS, clock.nowMs(), ModelJob.offsets(events.ends()));
  }

  private long[] someway() {
    long[] positions = new long[ModelEvents.PARTITIONS];
    for (int i = 0; i < positions.length; i++) {
      positions[i] = random.nextLong(events.end(i) + 1);
    }
    return positions;
  }

  void repair() {
    waitForRecovered();
    ModelJob.Checkpoint savepoint = stopWithSavepoint();
    zombieGrace();
    Attempt repair =
        platform.claim(
            "repair", savepoint.epoch(), dirtySinceMs(savepoint), ModelJob.offsets(events.ends()));
    platform.rewrite(repair, events.recount(savepoint.positions(), segments, clock));
    beginAt(new Epoch(repair.number(), 1), savepoint.positions(), clock.nowMs(), savepoint.query());
  }

  private void beginAt(Epoch epoch, long[] positions, long dirtySinceMs, int query) {
    undoable = null;
    checkpoints.clear();
    base = new Base(epoch, positions, dirtySinceMs);
    startFromBase(replacement(), query, true);
  }

  // ---- The end

  /** Lets everything come to its end, and compares every row with the recount. */
  void judge() {
    random = new Random(1);
    store.setRandom(random);
    job.subtasks.forEach(subtask -> subtask.setRandom(random));
    zombies.forEach(subtask -> subtask.setRandom(random));
    while (job.readOne(random)) {
      // All of it.
    }
    stopWithSavepoint();
    job.subtasks.forEach(subtask -> subtask.client.settleAll());
    for (ModelSubtask zombie : List.copyOf(zombies)) {
      for (int i = 0; i < 20 && zombies.contains(zombie); i++) {
        finish(zombie, false, i < 19);
      }
    }
    store.deliverAll();
    Map<String, Map<TileKey, byte[]>> wanted = events.recount(job.positions, segments, clock);
    StringBuilder differences = new StringBuilder();
    for (char entity : ENTITIES.toCharArray()) {
      compare(
          String.valueOf(entity),
          wanted.getOrDefault(String.valueOf(entity), Map.of()),
          differences);
    }
    if (!differences.isEmpty()) {
      throw new ViolationException("rows differ from a recount:" + differences, null);
    }
  }

  private void compare(String entity, Map<TileKey, byte[]> wanted, StringBuilder differences) {
    Map<TileKey, byte[]> found = new TreeMap<>(store.rows(entity));
    long nowMs = clock.nowMs();
    clock.advance(TTL_SLACK_MS);
    Map<TileKey, byte[]> lasting = store.rows(entity);
    clock.set(nowMs);
    found
        .keySet()
        .removeIf(
            key ->
                key.level() >= 0
                    && layout.ttlSeconds(key, nowMs) <= 0
                    && !lasting.containsKey(key));
    TreeMap<TileKey, Boolean> keys = new TreeMap<>();
    wanted.keySet().forEach(key -> keys.put(key, true));
    found.keySet().forEach(key -> keys.put(key, true));
    for (TileKey key : keys.keySet()) {
      if (!Arrays.equals(wanted.get(key), found.get(key))) {
        differences.append(
            "%n  %s %s: %s, should be %s"
                .formatted(entity, key, text(found.get(key)), text(wanted.get(key))));
      }
    }
  }

  private static String text(byte[] row) {
    return row == null ? "none" : HexFormat.of().formatHex(row);
  }
}
