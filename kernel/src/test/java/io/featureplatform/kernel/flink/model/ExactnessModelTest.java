package io.featureplatform.kernel.flink.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.RandomDistribution;
import net.jqwik.api.Tuple;

/**
 * Whatever befalls the job, rows equal a recount of the events. A failing schedule is shrunk to a
 * small one; {@code make chaos-model} runs these by the hundred thousand.
 */
class ExactnessModelTest {
  @Provide
  Arbitrary<List<ModelStep>> schedules() {
    return steps(150);
  }

  @Provide
  Arbitrary<List<ModelStep>> longSchedules() {
    return steps(500);
  }

  private static Arbitrary<List<ModelStep>> steps(int max) {
    Arbitrary<ModelStep.Action> actions =
        Arbitraries.frequency(
            Arrays.stream(ModelStep.Action.values())
                .map(action -> Tuple.of(action.weight, action))
                .toArray(Tuple.Tuple2[]::new));
    Arbitrary<Integer> seeds =
        Arbitraries.integers().withDistribution(RandomDistribution.uniform());
    return Combinators.combine(actions, seeds)
        .as(ModelStep::new)
        .list()
        .ofMaxSize(max)
        .withSizeDistribution(RandomDistribution.uniform());
  }

  /** Where neither undo rows nor events are lost there is nothing to ask about. */
  private static void checkExact(ModelWorld.Config config, List<ModelStep> schedule) {
    Model.Outcome outcome = Model.run(config, Broken.NOTHING, schedule);
    assertEquals(Model.End.EXACT, outcome.end(), outcome.told());
  }

  private static void checkExactOrAsked(ModelWorld.Config config, List<ModelStep> schedule) {
    Model.Outcome outcome = Model.run(config, Broken.NOTHING, schedule);
    assertNotEquals(Model.End.WRONG, outcome.end(), outcome.told());
  }

  /** Crashes, zombies, lost barriers, lost checkpoints, upgrades, rollbacks, rebuilds, repairs. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void rowsEqualARecount(@ForAll("schedules") List<ModelStep> schedule) {
    checkExact(Model.CALM, schedule);
  }

  /** The same over a longer life. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void rowsEqualARecountAfterALongLife(@ForAll("longSchedules") List<ModelStep> schedule) {
    checkExact(Model.CALM, schedule);
  }

  /** A subtask that forgets which rows it has told of writes more undo rows, nothing else. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void forgettingIsHarmless(@ForAll("schedules") List<ModelStep> schedule) {
    checkExact(Model.FORGETFUL, schedule);
  }

  /** When undo rows expire the job asks in time, and is exact until then. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void expiredUndoRowsAreToldInTime(@ForAll("schedules") List<ModelStep> schedule) {
    checkExactOrAsked(Model.SHORT_UNDO, schedule);
  }

  /** When the topic drops events that a job must read again it says so, and is exact until then. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void droppedEventsAreToldOf(@ForAll("schedules") List<ModelStep> schedule) {
    checkExactOrAsked(Model.SHORT_TOPIC, schedule);
  }

  /** Tiles expire, none stays for ever, and what is still there is exact. */
  @Property(edgeCases = EdgeCasesMode.NONE)
  void tilesExpire(@ForAll("schedules") List<ModelStep> schedule) {
    checkExact(Model.SHORT_TILES, schedule);
  }
}
