package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Ports;
import java.io.Serializable;

/** Opens the ports of a job where its operators run. */
@FunctionalInterface
public interface PortsFactory extends Serializable {
  /** Opens them; may block until the store answers, and be interrupted. */
  Ports open(JobSpec spec) throws InterruptedException;
}
