package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.Offsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * One run of a job: an intake that reads the partitions, kernel subtasks behind it, and the
 * coordinator of their checkpoints.
 */
final class ModelJob {
  private static final double LOST = 0.1;
  private static final double NOT_RECORDED = 0.05;

  /** A checkpoint or savepoint; {@code start} differs from its epoch after a rollback to it. */
  record Checkpoint(
      Epoch epoch,
      Epoch start,
      long[] positions,
      long timeMs,
      Map<String, byte[]> heads,
      List<ModelEvents.Event> inChannels,
      int query) {
    Checkpoint startingAt(Epoch from) {
      return new Checkpoint(epoch, from, positions, timeMs, heads, inChannels, query);
    }

    Checkpoint ofQuery(int other) {
      return new Checkpoint(epoch, start, positions, timeMs, heads, inChannels, other);
    }
  }

  private static final class Pending {
    final Checkpoint checkpoint;
    final Set<Integer> missing = new HashSet<>();

    Pending(Checkpoint checkpoint, int parallelism) {
      this.checkpoint = checkpoint;
      for (int i = 0; i < parallelism; i++) {
        missing.add(i);
      }
    }
  }

  final Claimed claimed;
  final String deployment;
  final int query;
  final long[] positions;
  final List<ModelSubtask> subtasks = new ArrayList<>();
  final List<Checkpoint> completed = new ArrayList<>();
  private final ModelEvents events;
  private final MemoryRegistry registry;
  private final Broken broken;
  private final Set<Integer> partitionsSeen = new HashSet<>();
  private Pending pending;
  private long lastId;

  ModelJob(
      Claimed claimed,
      String deployment,
      int query,
      long[] positions,
      long lastId,
      ModelEvents events,
      MemoryRegistry registry,
      Broken broken) {
    this.claimed = claimed;
    this.deployment = deployment;
    this.query = query;
    this.positions = positions.clone();
    this.lastId = lastId;
    this.events = events;
    this.registry = registry;
    this.broken = broken;
  }

  Attempt attempt() {
    return claimed.attempt();
  }

  long lastId() {
    return lastId;
  }

  ModelSubtask subtaskOf(String entity) {
    return subtasks.get(entity.charAt(0) % subtasks.size());
  }

  static Offsets offsets(long[] positions) {
    Map<String, Long> named = new TreeMap<>();
    for (int i = 0; i < positions.length; i++) {
      named.put("t/" + i, positions[i]);
    }
    return new Offsets(named);
  }

  /** Tells whether the attempt has passed what any before it can have read. */
  boolean isRecovered() {
    return attempt().recoveredAt(offsets(positions));
  }

  /** Reads one event; returns whether there was one. */
  boolean readOne(Random random) {
    List<Integer> ready = new ArrayList<>();
    for (int i = 0; i < positions.length; i++) {
      if (positions[i] < events.end(i)) {
        ready.add(i);
      }
    }
    if (ready.isEmpty()) {
      return false;
    }
    int partition = ready.get(random.nextInt(ready.size()));
    checkHeld(partition);
    ModelEvents.Event event = events.at(partition, positions[partition]);
    positions[partition]++;
    partitionsSeen.add(partition);
    route(event);
    return true;
  }

  /** Does what a consumer does whose offsets are not to be reset. */
  private void checkHeld(int partition) {
    long beginning = events.beginning(partition);
    if (positions[partition] >= beginning) {
      return;
    }
    if (broken != Broken.LOST_EVENTS_SKIPPED) {
      throw new ModelEngine.AskedException(
          new IllegalStateException("the topic begins at " + beginning));
    }
    positions[partition] = beginning;
  }

  void route(ModelEvents.Event event) {
    if (ModelEvents.counts(query, event)) {
      subtaskOf(event.entity()).channel.add(new ModelSubtask.Item(event, 0));
    }
  }

  /**
   * Starts a checkpoint, unless one is under way.
   *
   * @param safely no barrier and no part of a cut is lost
   */
  void trigger(Random random, long nowMs, boolean safely) {
    if (pending != null) {
      return;
    }
    lastId++;
    if (!safely && random.nextDouble() < LOST) {
      return; // The id is used up, nothing happened.
    }
    Epoch epoch = new Epoch(attempt().number(), lastId);
    Checkpoint checkpoint =
        new Checkpoint(
            epoch, epoch, positions.clone(), nowMs, new TreeMap<>(), new ArrayList<>(), query);
    pending = new Pending(checkpoint, subtasks.size());
    if (safely || random.nextDouble() >= NOT_RECORDED) {
      record(new CutPart(epoch.attempt(), lastId, "intake-0", 1, cutPositions()));
    }
    for (ModelSubtask subtask : subtasks) {
      if (safely || random.nextDouble() >= LOST) { // Else the barrier is lost to this subtask.
        ModelSubtask.Item barrier = new ModelSubtask.Item(null, lastId);
        if (broken == Broken.UNALIGNED) {
          subtask.channel.addFirst(barrier);
        } else {
          subtask.channel.add(barrier);
        }
      }
    }
  }

  private Offsets cutPositions() {
    Map<String, Long> named = new TreeMap<>(offsets(positions).next());
    if (broken == Broken.IDLE_PARTITIONS_FORGOTTEN) {
      named
          .keySet()
          .removeIf(name -> !partitionsSeen.contains(Integer.parseInt(name.substring(2))));
    }
    return new Offsets(named);
  }

  private void record(CutPart part) {
    registry.record(part).toCompletableFuture().join();
  }

  void abort() {
    pending = null;
  }

  /** Says that a barrier has passed a subtask. */
  void passed(ModelSubtask subtask, long barrier, Random random) {
    if (random.nextDouble() >= NOT_RECORDED) {
      record(
          new CutPart(
              attempt().number(), barrier, "kernel-" + subtask.index, subtasks.size(), null));
    }
    boolean expected =
        pending != null
            && pending.checkpoint.epoch().checkpointId() == barrier
            && pending.missing.remove(subtask.index);
    if (!expected) {
      return;
    }
    pending.checkpoint.heads().putAll(subtask.snapshot());
    if (broken == Broken.UNALIGNED) {
      subtask.channel.stream()
          .filter(item -> item.event() != null)
          .forEach(item -> pending.checkpoint.inChannels().add(item.event()));
    }
    if (pending.missing.isEmpty()) {
      completed.add(pending.checkpoint);
      pending = null;
    }
  }
}
