package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckpointRulesTest {
  /** The checkpointing that the shell sets is accepted. */
  @Test
  void exactSettingsPass() {
    CheckpointRules.check(Specs.checkpointing());
  }

  /** Each deviation is refused, by the name of its option. */
  @ParameterizedTest
  @CsvSource({
    "execution.checkpointing.mode, AT_LEAST_ONCE",
    "execution.checkpointing.unaligned.enabled, true",
    "execution.checkpointing.aligned-checkpoint-timeout, 5 s",
    "execution.checkpointing.max-concurrent-checkpoints, 2",
  })
  void deviationsAreRefused(String option, String value) {
    Configuration config = Specs.checkpointing();
    config.setString(option, value);
    Throwable told =
        assertThrows(SuppressRestartsException.class, () -> CheckpointRules.check(config))
            .getCause();
    assertTrue(told.getMessage().contains(option), told.getMessage());
  }

  /** Without checkpoints nothing would ever be exact. */
  @Test
  void checkpointingMustBeOn() {
    assertThrows(SuppressRestartsException.class, () -> CheckpointRules.check(new Configuration()));
  }
}
