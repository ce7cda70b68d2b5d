package io.featureplatform.kernel.store.cql;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import io.featureplatform.kernel.store.Ports;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

/**
 * A keyspace of its own in a real store, for the contract tests. The store comes by address: {@code
 * TEST_CQL_CONTACT=host:port}, and {@code TEST_CQL_USER}, {@code TEST_CQL_PASSWORD} if it wants a
 * login that may create keyspaces.
 */
final class TestCql implements AutoCloseable {
  static final String TABLE = "tiles_test_g1";

  private static final Duration CHANGE_TIMEOUT = Duration.ofMinutes(1);

  final String keyspace = "fp_test_" + UUID.randomUUID().toString().replace('-', '_');
  final StoreAddress address;
  final CqlSession session;

  TestCql() throws InterruptedException {
    String contact = System.getenv("TEST_CQL_CONTACT");
    assumeTrue(contact != null, "TEST_CQL_CONTACT is not set: run with TEST_CQL_CONTACT=host:port");
    address =
        new StoreAddress(
            List.of(contact),
            Objects.requireNonNullElse(System.getenv("TEST_CQL_DC"), "datacenter1"),
            Objects.requireNonNullElse(System.getenv("TEST_CQL_USER"), ""),
            "TEST_CQL_PASSWORD",
            null);
    session = CqlSessions.acquire(address, 30_000);
    change(
        "CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', '%s': 1}"
            .formatted(keyspace, address.localDc()));
    change(
        "CREATE TABLE %s.%s (entity text, level int, start bigint, payload blob,"
                .formatted(keyspace, TABLE)
            + " PRIMARY KEY ((entity), level, start))");
    change(
        ("CREATE TABLE %s.attempts (featureset text, generation int, attempt int,"
                + " owner text STATIC, execution text, deployment text, kind text, r_attempt int,"
                + " r_label bigint, end_offsets text, claimed_ms bigint,"
                + " base_label bigint, dirty_since_ms bigint, clean boolean,"
                + " PRIMARY KEY ((featureset, generation), attempt))")
            .formatted(keyspace));
    change(
        ("CREATE TABLE %s.cuts (featureset text, generation int, attempt int, label bigint,"
                + " part text, \"of\" int, positions text, letters text, recorded_ms bigint,"
                + " PRIMARY KEY ((featureset, generation), attempt, label, part))"
                + " WITH CLUSTERING ORDER BY (attempt DESC, label DESC, part ASC)")
            .formatted(keyspace));
    change(
        ("CREATE TABLE %s.changelog (featureset text, version int, part int, current int,"
                + " parts int, mode text, share double, entities list<text>,"
                + " PRIMARY KEY (featureset, version, part))")
            .formatted(keyspace));
  }

  /** A change of the schema takes seconds where two cores are busy. */
  private void change(String statement) {
    session.execute(SimpleStatement.newInstance(statement).setTimeout(CHANGE_TIMEOUT));
  }

  Ports ports() throws InterruptedException {
    return CqlPorts.open(address, keyspace, TABLE, "test", 1, 30_000);
  }

  @Override
  public void close() {
    change("DROP KEYSPACE " + keyspace);
    CqlSessions.release(address);
  }
}
