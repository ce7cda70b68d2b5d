package io.featureplatform.kernel.store;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The attempts and cuts of one generation in Cassandra or ScyllaDB. Attempts are decided by one
 * conditional batch on one partition, and read with serial consistency.
 */
final class CqlRegistry implements Registry {
  private static final int CUT_TTL_SECONDS = 7 * 24 * 3600;

  private final CqlSession session;
  private final String featureset;
  private final int generation;
  private final Clock clock;
  private final PreparedStatement select;
  private final PreparedStatement insert;
  private final PreparedStatement own;
  private final PreparedStatement cut;

  /** Prepares the statements; blocks. The session stays the caller's. */
  CqlRegistry(CqlSession session, String keyspace, String featureset, int generation, Clock clock) {
    this.session = session;
    this.featureset = featureset;
    this.generation = generation;
    this.clock = clock;
    String attempts = CqlNames.qualified(keyspace, "attempts");
    this.select =
        session.prepare(
            "SELECT owner, attempt, execution, deployment, kind, r_attempt, r_label, end_offsets,"
                + " claimed_ms FROM "
                + attempts
                + " WHERE featureset = ? AND generation = ?");
    this.insert =
        session.prepare(
            "INSERT INTO "
                + attempts
                + " (featureset, generation, attempt, execution, deployment, kind, r_attempt,"
                + " r_label, end_offsets, claimed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                + " IF NOT EXISTS");
    this.own =
        session.prepare(
            "UPDATE "
                + attempts
                + " SET owner = ? WHERE featureset = ? AND generation = ? IF owner = ?");
    this.cut =
        session.prepare(
            "INSERT INTO "
                + CqlNames.qualified(keyspace, "cuts")
                + " (featureset, generation, attempt, label, part, \"of\", positions, recorded_ms)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL "
                + CUT_TTL_SECONDS);
  }

  @Override
  public CompletionStage<Attempts> attempts() {
    var statement =
        select
            .bind(featureset, generation)
            .setConsistencyLevel(DefaultConsistencyLevel.LOCAL_SERIAL)
            .setIdempotent(true);
    return CqlErrors.translate(
        session
            .executeAsync(statement)
            .thenCompose(page -> collect(page, null, new ArrayList<>())));
  }

  @Override
  public CompletionStage<Boolean> insert(Attempt attempt) {
    BatchStatement batch =
        BatchStatement.builder(DefaultBatchType.UNLOGGED)
            .addStatement(
                insert.bind(
                    featureset,
                    generation,
                    attempt.number(),
                    attempt.execution(),
                    attempt.deployment(),
                    attempt.kind(),
                    attempt.start().attempt(),
                    attempt.start().label(),
                    attempt.endOffsets(),
                    attempt.claimedMs()))
            .addStatement(
                own.bind(attempt.deployment(), featureset, generation, attempt.deployment()))
            .setIdempotence(false)
            .build();
    return CqlErrors.translate(session.executeAsync(batch).thenApply(AsyncResultSet::wasApplied));
  }

  @Override
  public CompletionStage<Void> record(CutPart part) {
    var statement =
        cut.bind(
                featureset,
                generation,
                part.attempt(),
                part.label(),
                part.part(),
                part.of(),
                part.positions(),
                clock.nowMs())
            .setIdempotent(true);
    return CqlErrors.translate(session.executeAsync(statement).thenApply(done -> null));
  }

  @Override
  public void close() {
    // The session is the ports'.
  }

  private static CompletionStage<Attempts> collect(
      AsyncResultSet page, String owner, List<Attempt> attempts) {
    String seen = owner;
    for (Row row : page.currentPage()) {
      seen = row.getString(0);
      if (!row.isNull(1)) { // A partition with an owner and no attempt yet is one row of nulls.
        attempts.add(attempt(row));
      }
    }
    if (!page.hasMorePages()) {
      return CompletableFuture.completedFuture(new Attempts(seen, attempts));
    }
    String last = seen;
    return page.fetchNextPage().thenCompose(next -> collect(next, last, attempts));
  }

  private static Attempt attempt(Row row) {
    return new Attempt(
        row.getInt(1),
        row.getString(2),
        row.getString(3),
        row.getString(4),
        new Epoch(row.getInt(5), row.getLong(6)),
        row.getString(7),
        row.getLong(8));
  }
}
