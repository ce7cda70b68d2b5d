package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.cql.CqlPorts;
import java.io.Serializable;

/** Opens the ports of a job where its operators run. */
@FunctionalInterface
public interface PortsFactory extends Serializable {
  /** Opens them; may block until the store answers, and be interrupted. */
  Ports open(JobSpec spec) throws InterruptedException;

  /** The ports to the real store. */
  static Ports cql(JobSpec spec) throws InterruptedException {
    JobSpec.Store store = spec.store();
    return CqlPorts.open(
        store.address(),
        store.keyspace(),
        store.table(),
        spec.featureset(),
        spec.generation(),
        spec.settings().storeRetryMs());
  }
}
