package io.featureplatform.kernel.flink.model;

import java.util.List;

/** Runs schedules. */
final class Model {
  private static final long DAY_MS = 86_400_000;
  private static final int REMEMBERS_ALL = 1_000;
  private static final int HOLDS_ALL = 1_000_000;

  /** Nothing expires, and nothing is forgotten. */
  static final ModelWorld.Config CALM =
      new ModelWorld.Config(DAY_MS / 2, new long[] {DAY_MS, DAY_MS}, REMEMBERS_ALL, HOLDS_ALL);

  /** A subtask remembers one touched row. */
  static final ModelWorld.Config FORGETFUL =
      new ModelWorld.Config(DAY_MS / 2, new long[] {DAY_MS, DAY_MS}, 1, HOLDS_ALL);

  /** Undo rows expire within a schedule of 60 steps. */
  static final ModelWorld.Config SHORT_UNDO =
      new ModelWorld.Config(200_000, new long[] {DAY_MS, DAY_MS}, REMEMBERS_ALL, HOLDS_ALL);

  /** Closed tiles expire within a schedule of 60 steps. */
  static final ModelWorld.Config SHORT_TILES =
      new ModelWorld.Config(DAY_MS / 2, new long[] {60_000, 120_000}, 2, HOLDS_ALL);

  /** The topic drops events within a schedule of 150 steps. */
  static final ModelWorld.Config SHORT_TOPIC =
      new ModelWorld.Config(DAY_MS / 2, new long[] {DAY_MS, DAY_MS}, REMEMBERS_ALL, 7);

  /** How a schedule ended. */
  enum End {
    EXACT,
    ASKED,
    WRONG
  }

  /** The end of a schedule; {@code told} says why it is not exact. */
  record Outcome(End end, String told) {}

  private Model() {}

  /** Runs a schedule; anything that fails without a finding of the judge's fails the test. */
  static Outcome run(ModelWorld.Config config, Broken broken, List<ModelStep> schedule) {
    try {
      ModelWorld world = new ModelWorld(config, broken);
      schedule.forEach(world::step);
      world.judge();
      return new Outcome(End.EXACT, "");
    } catch (ModelWorld.AskedException e) {
      return new Outcome(End.ASKED, e.getMessage());
    } catch (ModelWorld.ViolationException e) {
      return new Outcome(End.WRONG, e.getMessage());
    }
  }
}
