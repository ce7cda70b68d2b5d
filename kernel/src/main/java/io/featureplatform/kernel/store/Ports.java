package io.featureplatform.kernel.store;

import com.datastax.oss.driver.api.core.CqlSession;

/**
 * Everything of one generation that is outside the job: its rows, its registry, the clock.
 *
 * @param release what else to do on {@link #close()}
 */
public record Ports(TileStore tiles, Registry registry, Clock clock, Runnable release)
    implements AutoCloseable {
  /**
   * Opens the ports to Cassandra or ScyllaDB; blocks until it answers, for up to the limit. May be
   * interrupted.
   */
  public static Ports cql(
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

  /** Waits for requests under way, then lets go of the store. */
  @Override
  public void close() {
    tiles.close();
    registry.close();
    release.run();
  }
}
