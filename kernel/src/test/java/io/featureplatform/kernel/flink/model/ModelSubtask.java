package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.flink.tiles.CoreOnHeap;
import io.featureplatform.kernel.flink.tiles.LoggedCommands;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.lineage.LineageHooks;
import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.lineage.Recovery;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.StoreHooks;
import io.featureplatform.kernel.tile.Layout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** One kernel subtask of a run: the real core, its state in heap, and the channel before it. */
final class ModelSubtask {
  /** What waits in the channel: an event, or a barrier if there is none. */
  record Item(ModelEvents.Event event, long barrier) {}

  final int index;
  final ModelClient client;
  final Deque<Item> channel = new ArrayDeque<>();
  private final CoreOnHeap core;
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
      int touchedRowsMax,
      LoggedCommands logged) {
    this.index = index;
    this.broken = broken;
    long firstCheckpointId = claimed.attempt().firstCheckpointId();
    this.barriers = claimed.attempt().baseCheckpointId();
    this.client = new ModelClient(store, broken, claimed.attempt().number());
    ReadBack readBack =
        broken == Broken.ANY_DEAD_UNDO
            ? LineageHooks.readBack(
                client, claimed, recovery, w -> LineageHooks.everything(claimed.attempts()))
            : new ReadBack(client, claimed, recovery);
    this.core =
        new CoreOnHeap(
            spec,
            layout,
            client,
            readBack,
            client.reads,
            client.writes,
            clock,
            claimed.attempt(),
            broken == Broken.NO_JUMP
                ? StoreHooks.plainNumbers(firstCheckpointId)
                : new FlushNumbers(firstCheckpointId),
            touchedRowsMax,
            logged,
            index);
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
      core.insert(item.event.entity(), item.event.tileMs(), item.event);
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

  /** Returns the state itself. */
  Map<String, byte[]> heads() {
    return core.heads;
  }

  /** Returns the state as a checkpoint would hold it. */
  Map<String, byte[]> snapshot() {
    return new TreeMap<>(core.heads);
  }
}
