package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.types.RowKind;

/**
 * One subtask of the kernel, without the engine that drives it: collects commands in a {@link
 * Bundle} and gives it to the {@link Flush} on a schedule, when it is large, and before every
 * barrier. Knows the checkpoint id: that of the last barrier, or of the restored checkpoint, plus
 * 1.
 */
final class KernelCore {
  private final int changesMax;
  private final Bundle bundle;
  private final Flush flush;
  private final UndoLog undoLog;
  private final Changelog changelog;

  /**
   * Starts a subtask.
   *
   * @param spec its limits and whether a benchmark goes without undo
   * @param heads the state, as restored
   */
  KernelCore(
      JobSpec spec,
      Layout layout,
      StoreAccess access,
      Clock clock,
      Claimed claimed,
      Changelog changelog,
      Heads heads,
      MetricGroup metrics) {
    this(
        spec,
        layout,
        access,
        clock,
        claimed.attempt().number(),
        new FlushNumbers(claimed.attempt().firstCheckpointId()),
        new UndoLog(
            claimed.attempt().number(),
            claimed.attempt().firstCheckpointId(),
            spec.settings().undoTtlMs()),
        changelog,
        heads,
        metrics);
  }

  /** As above, with numbers and an undo log that the tests choose. */
  KernelCore(
      JobSpec spec,
      Layout layout,
      StoreAccess access,
      Clock clock,
      int attempt,
      FlushNumbers numbers,
      UndoLog undoLog,
      Changelog changelog,
      Heads heads,
      MetricGroup metrics) {
    this.changesMax = spec.settings().flushChangesMax();
    this.bundle = new Bundle(layout, changelog);
    this.undoLog = undoLog;
    this.changelog = changelog;
    this.flush =
        new Flush(
            layout,
            access,
            clock,
            attempt,
            numbers,
            spec.benchWithoutUndo() ? null : undoLog,
            changelog,
            heads,
            metrics);
    changelog.begin(undoLog.checkpointId());
  }

  /** Takes a command. Hot path. */
  void change(RowKind kind, String entity, long tileStartMs, CommandValues values)
      throws Exception {
    bundle.add(entity, kind, tileStartMs, values);
    if (bundle.commands() >= changesMax) {
      flush();
    }
  }

  /** Flushes all but half updates. */
  void flush() throws Exception {
    flush.run(bundle.takeWhole(), undoLog.checkpointId());
    changelog.look();
  }

  /**
   * Flushes everything and waits for the store, so that the barrier covers written rows alone (rule
   * 12 of exactness); from then on the checkpoint id is the next one.
   */
  void beforeBarrier(long barrier) throws Exception {
    flush.run(bundle.takeAll(), undoLog.checkpointId());
    flush.awaitAcknowledged();
    changelog.barrier(undoLog.checkpointId(), barrier + 1);
    undoLog.passed(barrier);
  }
}
