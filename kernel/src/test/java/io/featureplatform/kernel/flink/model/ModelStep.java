package io.featureplatform.kernel.flink.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;

/**
 * One thing that happens in a {@link ModelWorld}. Its seed decides everything by chance in it, so a
 * schedule can lose steps and the others still do alike.
 */
record ModelStep(Action action, int seed) {
  /** What may happen, with how often. */
  enum Action {
    APPEND(32, (world, random) -> world.append()),
    READ(48, (world, random) -> world.job.readOne(random)),
    ADVANCE(40, (world, random) -> world.advance(world.anySubtask())),
    FLUSH(20, (world, random) -> world.flush(world.anySubtask())),
    TRIGGER(12, (world, random) -> world.trigger()),
    ABORT(2, (world, random) -> world.job.abort()),
    EXPIRE_STATE(10, (world, random) -> world.expireState()),
    WAKE_ZOMBIE(6, (world, random) -> world.wakeZombie()),
    DELIVER(6, (world, random) -> world.store.deliverOne()),
    SERVE(4, (world, random) -> world.serve()),
    RESTART(6, (world, random) -> world.restart()),
    RESTART_FROM_OLDER(3, (world, random) -> world.restartFromOlder()),
    START_FROM_STORE(3, (world, random) -> world.startFromStore()),
    OLD_JOB_RESTARTS(1, (world, random) -> world.oldJobRestarts()),
    UPGRADE(3, (world, random) -> world.upgrade()),
    ROLL_BACK(2, (world, random) -> world.rollBack()),
    REBUILD(1, (world, random) -> world.rebuild()),
    REPAIR(1, (world, random) -> world.repair());

    final int weight;
    private final BiConsumer<ModelWorld, Random> happening;

    Action(int weight, BiConsumer<ModelWorld, Random> happening) {
      this.weight = weight;
      this.happening = happening;
    }

    void happen(ModelWorld world, Random random) {
      happening.accept(world, random);
    }
  }

  private static final Action[] WEIGHTED = weighted();

  private static Action[] weighted() {
    List<Action> all = new ArrayList<>();
    for (Action action : Action.values()) {
      for (int i = 0; i < action.weight; i++) {
        all.add(action);
      }
    }
    return all.toArray(Action[]::new);
  }

  /** Returns a schedule of so many steps. */
  static List<ModelStep> schedule(Random random, int steps) {
    List<ModelStep> schedule = new ArrayList<>(steps);
    for (int i = 0; i < steps; i++) {
      schedule.add(new ModelStep(WEIGHTED[random.nextInt(WEIGHTED.length)], random.nextInt()));
    }
    return schedule;
  }

  @Override
  public String toString() {
    return action + "(" + seed + ")";
  }
}
