package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.lineage.History;
import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.row.Carrier;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.Column;
import io.featureplatform.kernel.tile.Grid;
import io.featureplatform.kernel.tile.Kind;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * The lower half of a {@link ModelWorld}: what an engine does with a job. It runs the real kernel
 * between fakes, on one thread, and lets its subtasks die in the middle of what they do.
 */
abstract class ModelEngine {
  /**
   * What a schedule runs under.
   *
   * @param undoTtlMs how long undo rows are kept
   * @param retentionMs how long closed tiles are kept, by level
   * @param touchedRowsMax how many touched rows a subtask remembers
   * @param eventsHeld how many events the topic holds, by partition
   */
  record Config(long undoTtlMs, long[] retentionMs, int touchedRowsMax, int eventsHeld) {}

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
  record Base(Epoch epoch, long[] positions, long dirtySinceMs) {}

  /** What a rollback goes back to. */
  record Undoable(ModelJob.Checkpoint savepoint, Base base) {}

  /** What a cut is besides the parts in the registry. */
  record CutInfo(long timeMs, int query) {}

  static final String ENTITIES = "abc";
  private static final long STEP_MS = 5_000;
  private static final long START_MS = 1_700_000_040_000L;

  final ManualClock clock = new ManualClock(START_MS);
  final Layout layout;
  final ModelEvents events;
  final List<ModelSubtask> zombies = new ArrayList<>();
  ModelStore store;
  ModelJob job;
  final Config config;
  final Broken broken;
  final List<ModelEvents.Segment> segments = new ArrayList<>();
  final List<ModelJob.Checkpoint> checkpoints = new ArrayList<>();
  final Map<Epoch, CutInfo> cuts =
      new TreeMap<>(Comparator.comparingInt(Epoch::attempt).thenComparingLong(Epoch::checkpointId));
  MemoryRegistry registry;
  ModelPlatform platform;
  ModelStarts starts;
  ModelJob replaced;
  Base base;
  Undoable undoable;

  /** What rows of this generation held before any job: nothing, or what a backfill wrote. */
  Map<String, Changes> backfilled = new TreeMap<>();

  Random random = new Random(0);
  private int deployments;

  ModelEngine(Config config, Broken broken) {
    this.config = config;
    this.broken = broken;
    this.layout = layout(config.retentionMs());
    this.events = new ModelEvents(layout, config.eventsHeld());
    newGeneration();
    segments.add(new ModelEvents.Segment(new long[ModelEvents.PARTITIONS], 0));
    base = new Base(Epoch.GENESIS, new long[ModelEvents.PARTITIONS], clock.nowMs());
    registry.setOwner(deployment());
    startFromBase("deployment-1", 0, true);
  }

  /** Returns the layout by which the kernel looks at how long tiles are kept. */
  private Layout layoutOfKernel() {
    long moreMs = broken == Broken.PAST_TILES_WRITTEN ? ModelClient.KEPT_LONGER_MS : 0;
    return layout(Arrays.stream(config.retentionMs()).map(keptMs -> keptMs + moreMs).toArray());
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

  void newGeneration() {
    store = new ModelStore(clock, broken);
    store.setRandom(random);
    registry = new MemoryRegistry("");
    platform = new ModelPlatform(registry, store, layout, clock, broken);
    starts =
        new ModelStarts(config, broken, layoutOfKernel(), clock, events, registry, store, platform);
    replaced = null;
  }

  String deployment() {
    deployments++;
    return "deployment-" + deployments;
  }

  // ---- Steps

  /** Lets one thing happen; everything by chance in it comes from the step's own seed. */
  void step(ModelStep step) {
    clock.advance(STEP_MS);
    random = new Random(step.seed());
    store.setRandom(random);
    job.subtasks.forEach(subtask -> subtask.setRandom(random));
    zombies.forEach(subtask -> subtask.setRandom(random));
    step.action().happen((ModelWorld) this, random);
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

  static RuntimeException judged(Throwable refusal) {
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
    if (!subtask.heads().isEmpty()) {
      List<String> known = List.copyOf(subtask.heads().keySet());
      subtask.heads().remove(known.get(random.nextInt(known.size())));
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
  void die() {
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

  void startFromBase(String deployment, int query, boolean clean) {
    Origin origin =
        base.epoch.equals(Epoch.GENESIS)
            ? Origin.genesis()
            : Origin.cut(base.epoch, base.dirtySinceMs);
    start(
        new ModelStarts.Start(
            origin, deployment, query, starts.beginning(base.positions), Map.of(), clean, 0));
  }

  void startFrom(ModelJob.Checkpoint from, String deployment, boolean clean, long lastId) {
    Origin origin =
        broken == Broken.AGE_NOT_CHAINED
            ? Origin.cut(from.start(), from.timeMs())
            : Origin.restored(
                from.epoch(), from.start(), from.timeMs(), ModelJob.offsets(from.positions()));
    start(
        new ModelStarts.Start(
            origin,
            deployment,
            from.query(),
            from.positions(),
            from.heads(),
            clean,
            Math.max(lastId, from.epoch().checkpointId())));
    from.inChannels().forEach(job::route);
  }

  private void start(ModelStarts.Start start) {
    job = starts.start(start, job, random);
  }

  /** Stops the job: everything before the last barrier is counted and written. */
  ModelJob.Checkpoint stopWithSavepoint() {
    job.abort();
    cuts.put(
        new Epoch(job.attempt().number(), job.lastId() + 1), new CutInfo(clock.nowMs(), job.query));
    job.trigger(random, clock.nowMs(), true);
    drain();
    if (broken == Broken.WRITES_AFTER_STOP) {
      job.readOne(random);
      drain();
      job.subtasks.forEach(this::flush);
      job.subtasks.forEach(subtask -> subtask.client.settleAll());
    }
    return checkpoints.get(checkpoints.size() - 1);
  }

  private void drain() {
    for (ModelSubtask subtask : job.subtasks) {
      while (!subtask.channel.isEmpty()) {
        advance(subtask);
      }
    }
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
    String differences = new ModelJudge(store, layout, clock).differences(wanted);
    if (!differences.isEmpty()) {
      throw new ViolationException("rows differ from a recount:" + differences, null);
    }
    if (broken == Broken.NOTHING) {
      judgeLog(wanted);
    }
  }

  /** Compares what the commands that count add up to with the rows. */
  private void judgeLog(Map<String, Map<TileKey, byte[]>> wanted) {
    History line = History.of(platform.attempts(), job.attempt().number());
    starts.logged.addTo(backfilled, layout, line::contains);
    String differences = ModelJudge.differences(events.rows(backfilled, clock), wanted);
    if (!differences.isEmpty()) {
      throw new ViolationException("logged commands do not add up:" + differences, null);
    }
  }
}
