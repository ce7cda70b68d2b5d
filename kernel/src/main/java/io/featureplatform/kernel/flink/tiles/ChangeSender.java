package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.tile.Layout;
import java.io.Serializable;

/** Where blocks of commands go. None fails for one that cannot be sent: it is lost and counted. */
interface ChangeSender extends AutoCloseable {
  /** Makes the sender of a subtask. */
  @FunctionalInterface
  interface Factory extends Serializable {
    ChangeSender open(JobSpec spec, Layout layout, Clock clock);
  }

  /** Starts sending a block. */
  void send(ChangeBlock block);

  /** Returns when every block is acknowledged, or counted as lost. */
  void flush();

  /** Returns how many commands were lost so far. */
  long lost();

  @Override
  void close();
}
