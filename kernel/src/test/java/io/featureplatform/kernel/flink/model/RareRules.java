package io.featureplatform.kernel.flink.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Rules whose absence shows once in thousands of schedules; {@code make chaos-model} runs them, for
 * they take long.
 */
class RareRules {
  private static final int SCHEDULES_MAX = 200_000;

  /** Without the rule some row is wrong, if rarely. */
  @ParameterizedTest
  @MethodSource("io.featureplatform.kernel.flink.model.BrokenRulesTest#rare")
  void theRuleIsNeeded(Broken broken) {
    int needed = BrokenRulesTest.schedulesUntilWrong(broken, SCHEDULES_MAX);
    assertTrue(needed <= SCHEDULES_MAX, () -> broken + " is not seen");
  }
}
