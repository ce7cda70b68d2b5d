package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.types.RowKind;

/** The real core of one subtask, its state in heap: what the model of the whole job drives. */
public final class CoreOnHeap {
  /** The state: head rows by entity. */
  public final Map<String, byte[]> heads = new TreeMap<>();

  private final KernelCore core;

  /** Starts a subtask that remembers so many touched rows. */
  public CoreOnHeap(
      JobSpec spec,
      Layout layout,
      TileStore store,
      ReadBack readBack,
      InFlight reads,
      InFlight writes,
      Clock clock,
      Attempt attempt,
      FlushNumbers numbers,
      int touchedRowsMax,
      LoggedCommands logged,
      int subtask) {
    this.core =
        new KernelCore(
            spec,
            layout,
            new StoreAccess(store, readBack, reads, writes),
            clock,
            attempt.number(),
            numbers,
            new UndoLog(
                attempt.number(),
                attempt.firstCheckpointId(),
                spec.settings().undoTtlMs(),
                touchedRowsMax),
            logged.changelog(layout, clock, attempt.number(), subtask),
            new HeapHeads(),
            new UnregisteredMetricsGroup());
  }

  public void insert(String entity, long tileStartMs, CommandValues values) throws Exception {
    core.change(RowKind.INSERT, entity, tileStartMs, values);
  }

  public void flush() throws Exception {
    core.flush();
  }

  public void beforeBarrier(long barrier) throws Exception {
    core.beforeBarrier(barrier);
  }

  private final class HeapHeads implements Heads {
    @Override
    public byte[] get(String entity) {
      return heads.get(entity);
    }

    @Override
    public void put(String entity, byte[] headRow) {
      heads.put(entity, headRow);
    }
  }
}
