package io.featureplatform.kernel.store.cql;

import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.Registry;
import io.featureplatform.kernel.store.RegistryContract;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

class CqlRegistryTest extends RegistryContract {
  private static TestCql cql;
  private static int generation;
  private Registry registry;

  @BeforeAll
  static void openStore() throws InterruptedException {
    cql = new TestCql();
  }

  @AfterAll
  static void closeStore() {
    if (cql != null) {
      cql.close();
    }
  }

  @BeforeEach
  void begin() {
    generation++;
    setOwner(OURS);
    registry =
        new CqlRegistry(cql.session, cql.keyspace, "test", generation, new ManualClock(5_000));
  }

  @Override
  protected Registry registry() {
    return registry;
  }

  @Override
  protected void setOwner(String owner) {
    cql.session.execute(
        "UPDATE %s.attempts SET owner = '%s' WHERE featureset = 'test' AND generation = %d"
            .formatted(cql.keyspace, owner, generation));
  }
}
