package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.Claimed;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.Hooks;
import io.featureplatform.kernel.store.ReadBack;
import io.featureplatform.kernel.store.Recovery;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.types.RowKind;

/** One kernel subtask of a run: the real core, its state in heap, and the channel before it. */
final class ModelSubtask {
  /** What waits in the channel: an event, or a barrier if there is none. */
  record Item(ModelEvents.Event event, long barrier) {}

  final int index;
  final ModelClient client;
  final HeapHeads heads = new HeapHeads();
  final Deque<Item> channel = new ArrayDeque<>();
  private final KernelCore core;
  private final Broken broken;
  private long barriers;

  ModelSubtask(
      int index,
      Claimed claimed,
      ModelStore store,
      Recovery recovery,
      JobSpec spec,
      Layout layout,
      Clock clock,
      Broken broken,
      int touchedRowsMax) {
    this.index = index;
    this.broken = broken;
    int attempt = claimed.attempt().number();
    long firstLabel = claimed.attempt().firstLabel();
    this.barriers = claimed.attempt().baseLabel();
    this.client = new ModelClient(store, broken, attempt);
    ReadBack readBack =
        broken == Broken.ANY_DEAD_UNDO
            ? Hooks.readBack(client, claimed, recovery, w -> Hooks.everything(claimed.attempts()))
            : new ReadBack(client, claimed, recovery);
    this.core =
        new KernelCore(
            spec,
            layout,
            new StoreAccess(client, readBack, client.reads, client.writes),
            clock,
            attempt,
            broken == Broken.NO_JUMP
                ? Hooks.plainNumbers(firstLabel)
                : new FlushNumbers(firstLabel),
            new UndoLog(attempt, firstLabel, spec.settings().undoTtlMs(), touchedRowsMax),
            heads,
            new UnregisteredMetricsGroup());
  }

  void setRandom(Random random) {
    client.setRandom(random);
  }

  /** Takes the next item of the channel; returns the barrier that has passed, or 0. */
  long step() throws Exception {
    Item item = channel.poll();
    if (item == null) {
      return 0;
    }
    settleBefore();
    if (item.event != null) {
      core.change(RowKind.INSERT, item.event.entity(), item.event.tileMs(), item.event);
      return 0;
    }
    barriers++;
    core.beforeBarrier(broken == Broken.BARRIERS_COUNTED ? barriers : item.barrier);
    if (broken == Broken.READ_BEFORE_ACKNOWLEDGED) {
      client.settleAll();
    }
    return item.barrier;
  }

  void flush() throws Exception {
    settleBefore();
    core.flush();
  }

  /** Keeps the rule that reads wait for writes while the one on barriers is broken. */
  private void settleBefore() {
    if (broken == Broken.BARRIER_BEFORE_ACKNOWLEDGED) {
      client.settleAll();
    }
  }

  /** Returns the state as a checkpoint would hold it. */
  Map<String, byte[]> snapshot() {
    return new TreeMap<>(heads.rows);
  }
}
