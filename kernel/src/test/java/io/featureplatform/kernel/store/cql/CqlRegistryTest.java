package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.Registry;
import io.featureplatform.kernel.store.RegistryContract;
import io.featureplatform.kernel.store.Watch;
import java.util.List;
import java.util.Locale;
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
  protected void setWatch(Watch watch) {
    List<String> entities = List.copyOf(watch.entities());
    int parts = Math.max(1, (entities.size() + 999) / 1_000);
    for (int part = 0; part < parts; part++) {
      cql.session.execute(
          SimpleStatement.newInstance(
              ("INSERT INTO %s.changelog (featureset, version, part, parts, mode, share, entities)"
                      + " VALUES ('test', ?, ?, ?, ?, ?, ?)")
                  .formatted(cql.keyspace),
              watch.version(),
              part,
              parts,
              watch.mode().name().toLowerCase(Locale.ROOT),
              watch.share(),
              entities.subList(part * 1_000, Math.min(entities.size(), (part + 1) * 1_000))));
    }
    cql.session.execute(
        "INSERT INTO %s.changelog (featureset, version, part, current) VALUES ('test', 0, 0, %d)"
            .formatted(cql.keyspace, watch.version()));
  }

  @Override
  protected void setOwner(String owner) {
    cql.session.execute(
        "UPDATE %s.attempts SET owner = '%s' WHERE featureset = 'test' AND generation = %d"
            .formatted(cql.keyspace, owner, generation));
  }
}
