package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.CqlSession;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Ports;

/** Opens the ports of a generation to a real store. */
public final class CqlPorts {
  private CqlPorts() {}

  /**
   * Opens the ports to Cassandra or ScyllaDB; blocks until it answers, for up to the limit. May be
   * interrupted.
   */
  public static Ports open(
      StoreAddress address,
      String keyspace,
      String table,
      String featureset,
      int generation,
      long limitMs)
      throws InterruptedException {
    CqlSession session = CqlSessions.acquire(address, limitMs);
    try {
      return new Ports(
          new CqlTileStore(session, keyspace, table),
          new CqlRegistry(session, keyspace, featureset, generation, Clock.SYSTEM),
          Clock.SYSTEM,
          () -> CqlSessions.release(address));
    } catch (RuntimeException e) {
      CqlSessions.release(address);
      throw e;
    }
  }
}
