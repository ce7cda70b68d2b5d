package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Row;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Cut;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.Registry;
import io.featureplatform.kernel.store.Watch;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The attempts and cuts of one generation in Cassandra or ScyllaDB. Attempts are decided by one
 * conditional batch on one partition, and read with serial consistency.
 */
final class CqlRegistry implements Registry {
  private static final int CUT_TTL_SECONDS = 7 * 24 * 3600;

  /** How many parts are looked at for a complete cut; a job has two for each slot and barrier. */
  private static final int CUT_PARTS_MAX = 10_000;

  private final CqlSession session;
  private final String featureset;
  private final int generation;
  private final Clock clock;
  private final CqlWatch watch;
  private final PreparedStatement select;
  private final PreparedStatement insert;
  private final PreparedStatement own;
  private final PreparedStatement selectCuts;
  private final PreparedStatement cut;

  /** Prepares the statements; blocks. The session stays the caller's. */
  CqlRegistry(CqlSession session, String keyspace, String featureset, int generation, Clock clock) {
    this.session = session;
    this.featureset = featureset;
    this.generation = generation;
    this.clock = clock;
    this.watch = new CqlWatch(session, keyspace, featureset);
    String attempts = CqlNames.qualified(keyspace, "attempts");
    this.select =
        session.prepare(
            "SELECT owner, attempt, execution, deployment, kind, r_attempt, r_label, end_offsets,"
                + " claimed_ms, base_label, dirty_since_ms, clean FROM "
                + attempts
                + " WHERE featureset = ? AND generation = ?");
    this.insert =
        session.prepare(
            "INSERT INTO "
                + attempts
                + " (featureset, generation, attempt, execution, deployment, kind, r_attempt,"
                + " r_label, end_offsets, claimed_ms, base_label, dirty_since_ms, clean)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                + " IF NOT EXISTS");
    this.own =
        session.prepare(
            "UPDATE "
                + attempts
                + " SET owner = ? WHERE featureset = ? AND generation = ? IF owner = ?");
    this.selectCuts =
        session.prepare(
            "SELECT attempt, label, part, \"of\", positions FROM "
                + CqlNames.qualified(keyspace, "cuts")
                + " WHERE featureset = ? AND generation = ? AND attempt = ?"
                + " ORDER BY attempt DESC, label DESC LIMIT "
                + CUT_PARTS_MAX);
    this.cut =
        session.prepare(
            "INSERT INTO "
                + CqlNames.qualified(keyspace, "cuts")
                + " (featureset, generation, attempt, label, part, \"of\", positions, letters,"
                + " recorded_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL "
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
                    attempt.start().checkpointId(),
                    attempt.endOffsets().toJson(),
                    attempt.claimedMs(),
                    attempt.baseCheckpointId(),
                    attempt.dirtySinceMs(),
                    attempt.clean()))
            .addStatement(
                own.bind(attempt.deployment(), featureset, generation, attempt.deployment()))
            .setIdempotence(false)
            .build();
    return CqlErrors.translate(session.executeAsync(batch).thenApply(AsyncResultSet::wasApplied));
  }

  @Override
  public CompletionStage<Optional<Cut>> newestCut(int attempt) {
    var statement = selectCuts.bind(featureset, generation, attempt).setIdempotent(true);
    return CqlErrors.translate(
        session.executeAsync(statement).thenCompose(page -> search(page, new Cut.Search())));
  }

  @Override
  public CompletionStage<Void> record(CutPart part) {
    var statement =
        cut.bind(
                featureset,
                generation,
                part.attempt(),
                part.checkpointId(),
                part.part(),
                part.of(),
                part.positions() == null ? null : part.positions().toJson(),
                part.letters().isEmpty() ? null : new Offsets(part.letters()).toJson(),
                clock.nowMs())
            .setIdempotent(true);
    return CqlErrors.translate(session.executeAsync(statement).thenApply(done -> null));
  }

  @Override
  public CompletionStage<Watch> watch(Watch known) {
    return watch.read(known);
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

  /** Reads on only while no complete cut was found: the newest is nearly always among the first. */
  private static CompletionStage<Optional<Cut>> search(AsyncResultSet page, Cut.Search search) {
    for (Row row : page.currentPage()) {
      search.add(
          new CutPart(
              row.getInt(0),
              row.getLong(1),
              row.getString(2),
              row.getInt(3),
              row.isNull(4) ? null : Offsets.parse(row.getString(4))));
    }
    return search.found().isEmpty() && page.hasMorePages()
        ? page.fetchNextPage().thenCompose(next -> search(next, search))
        : CompletableFuture.completedFuture(search.found());
  }

  private static Attempt attempt(Row row) {
    return new Attempt(
        row.getInt(1),
        row.getString(2),
        row.getString(3),
        row.getString(4),
        new Epoch(row.getInt(5), row.getLong(6)),
        Offsets.parse(row.getString(7)),
        row.getLong(8),
        row.isNull(9) ? Attempt.BASE_UNKNOWN : row.getLong(9),
        row.isNull(10) ? row.getLong(8) : row.getLong(10),
        row.getBoolean(11));
  }
}
