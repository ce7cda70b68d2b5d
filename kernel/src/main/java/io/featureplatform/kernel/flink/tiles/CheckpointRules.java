package io.featureplatform.kernel.flink.tiles;

import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/** The only checkpointing under which rows stay exact (rule 12 of exactness). */
final class CheckpointRules {
  private CheckpointRules() {}

  /**
   * Checks a job's configuration.
   *
   * @throws SuppressRestartsException a barrier could overtake changes, or two be under way
   */
  static void check(Configuration config) {
    require(
        CheckpointingOptions.isCheckpointingEnabled(config),
        "execution.checkpointing.interval must be set");
    require(
        CheckpointingOptions.getCheckpointingMode(config) == CheckpointingMode.EXACTLY_ONCE,
        "execution.checkpointing.mode must be EXACTLY_ONCE");
    require(
        !CheckpointingOptions.isUnalignedCheckpointEnabled(config),
        "execution.checkpointing.unaligned.enabled must be false");
    require(
        config.get(CheckpointingOptions.ALIGNED_CHECKPOINT_TIMEOUT).isZero(),
        "execution.checkpointing.aligned-checkpoint-timeout must be 0");
    require(
        config.get(CheckpointingOptions.MAX_CONCURRENT_CHECKPOINTS) == 1,
        "execution.checkpointing.max-concurrent-checkpoints must be 1");
  }

  private static void require(boolean holds, String rule) {
    if (!holds) {
      throw new SuppressRestartsException(
          new IllegalStateException(
              "with these settings the job would not count exactly:" + " " + rule));
    }
  }
}
