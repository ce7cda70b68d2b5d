package io.featureplatform.kernel.store;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

class CqlTileStoreTest extends TileStoreContract {
  private static TestCql cql;
  private static Ports ports;

  @BeforeAll
  static void openStore() throws InterruptedException {
    cql = new TestCql();
    ports = cql.ports();
  }

  @AfterAll
  static void closeStore() {
    if (cql != null) {
      ports.close();
      cql.close();
    }
  }

  @Override
  TileStore store() {
    return ports.tiles();
  }

  @Override
  void pass(long ms) throws InterruptedException {
    Thread.sleep(ms);
  }
}
