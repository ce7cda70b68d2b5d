package io.featureplatform.kernel.store.cql;

import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.TileStoreContract;
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
  protected TileStore store() {
    return ports.tiles();
  }

  @Override
  protected void pass(long ms) throws InterruptedException {
    Thread.sleep(ms);
  }
}
