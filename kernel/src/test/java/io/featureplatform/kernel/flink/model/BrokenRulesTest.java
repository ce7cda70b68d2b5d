package io.featureplatform.kernel.flink.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each rule of exactness switched off alone gives wrong rows: the model can see what it is for.
 *
 * <p>Rule 4's fence is not among them: a replaced subtask's writes lose by their timestamps anyway,
 * it is stopped so that it does not go on for nothing. A sweep's rules are in {@link
 * SweepModelTest} as well; the rarest ones need the volume of {@link RareRules}.
 */
class BrokenRulesTest {
  private static final int STEPS = 150;
  private static final int SCHEDULES_MAX = 20_000;

  /** Rules that go wrong once in thousands of schedules. */
  private static final Set<Broken> RARE = EnumSet.of(Broken.AGE_NOT_CHAINED, Broken.NO_GRACE);

  /** Rules whose absence is seen in {@link SweepModelTest} alone. */
  private static final Set<Broken> ELSEWHERE = EnumSet.of(Broken.SWEEP_OF_SEEN_ROWS);

  private static final Map<Broken, ModelWorld.Config> CONFIGS = new EnumMap<>(Broken.class);

  static {
    CONFIGS.put(Broken.NO_AGE, Model.SHORT_UNDO);
    CONFIGS.put(Broken.AGE_NOT_CHAINED, Model.SHORT_UNDO);
    CONFIGS.put(Broken.PAST_TILES_WRITTEN, Model.SHORT_TILES);
    CONFIGS.put(Broken.LOST_EVENTS_SKIPPED, Model.SHORT_TOPIC);
    CONFIGS.put(Broken.SWEEP_FOR_EVER, Model.SHORT_TILES);
  }

  /** Returns how many schedules it takes to see that the rule is broken. */
  static int schedulesUntilWrong(Broken broken, int schedulesMax) {
    ModelWorld.Config config = CONFIGS.getOrDefault(broken, Model.FORGETFUL);
    for (int seed = 0; seed < schedulesMax; seed++) {
      Model.Outcome outcome =
          Model.run(config, broken, ModelStep.schedule(new Random(seed), STEPS));
      if (outcome.end() == Model.End.WRONG) {
        return seed + 1;
      }
    }
    return schedulesMax + 1;
  }

  static Set<Broken> rare() {
    return RARE;
  }

  static Set<Broken> frequent() {
    Set<Broken> frequent = EnumSet.allOf(Broken.class);
    frequent.remove(Broken.NOTHING);
    frequent.removeAll(RARE);
    frequent.removeAll(ELSEWHERE);
    return frequent;
  }

  /** Without the rule some row is wrong, or the job stops although it need not. */
  @ParameterizedTest
  @MethodSource("frequent")
  void theRuleIsNeeded(Broken broken) {
    assertTrue(
        schedulesUntilWrong(broken, SCHEDULES_MAX) <= SCHEDULES_MAX,
        () -> broken + " is not seen in " + SCHEDULES_MAX + " schedules");
  }

  /** With all rules, the same schedules give no wrong row. */
  @Test
  void allRulesTogetherAreEnough() {
    assertEquals(1_001, schedulesUntilWrong(Broken.NOTHING, 1_000));
  }
}
