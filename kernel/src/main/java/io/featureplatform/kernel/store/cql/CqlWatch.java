package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import io.featureplatform.kernel.store.Watch;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Reads of which entities a feature set's commands are logged. The row of version 0 names the
 * version in force, whose parts were written before it.
 *
 * <p>Its statements are not prepared: in a registry that has no such table yet, nothing is logged,
 * and a job runs.
 */
final class CqlWatch {
  private final CqlSession session;
  private final String table;
  private final String featureset;

  CqlWatch(CqlSession session, String keyspace, String featureset) {
    this.session = session;
    this.table = CqlNames.qualified(keyspace, "changelog");
    this.featureset = featureset;
  }

  /** Returns {@code known} if it is still in force, or if the next is being replaced right now. */
  CompletionStage<Watch> read(Watch known) {
    return CqlErrors.translate(
        session
            .executeAsync(
                statement(
                    "SELECT current FROM %s WHERE featureset = ? AND version = 0 AND part = 0",
                    featureset))
            .thenCompose(
                page -> {
                  Row head = page.one();
                  int version = head == null ? 0 : head.getInt(0);
                  if (version == known.version()) {
                    return CompletableFuture.completedFuture(known);
                  }
                  return version == 0
                      ? CompletableFuture.completedFuture(Watch.OFF)
                      : parts(version, known);
                }));
  }

  private CompletionStage<Watch> parts(int version, Watch known) {
    return session
        .executeAsync(
            statement(
                "SELECT parts, mode, share, entities FROM %s WHERE featureset = ? AND version = ?",
                featureset, version))
        .thenCompose(page -> collect(page, new Parts(version)))
        .thenApply(parts -> parts.watch == null || parts.left > 0 ? known : parts.watch);
  }

  private SimpleStatement statement(String cql, Object... values) {
    return SimpleStatement.newInstance(String.format(cql, table), values).setIdempotent(true);
  }

  private static CompletionStage<Parts> collect(AsyncResultSet page, Parts parts) {
    page.currentPage().forEach(parts::add);
    return page.hasMorePages()
        ? page.fetchNextPage().thenCompose(next -> collect(next, parts))
        : CompletableFuture.completedFuture(parts);
  }

  private static final class Parts {
    private final int version;
    private final Set<String> entities = new HashSet<>();
    private Watch watch;
    private int left;

    Parts(int version) {
      this.version = version;
    }

    void add(Row row) {
      if (watch == null) {
        left = row.getInt(0);
        watch =
            new Watch(
                version,
                Watch.Mode.valueOf(row.getString(1).toUpperCase(Locale.ROOT)),
                row.getDouble(2),
                entities);
      }
      left--;
      List<String> named = row.getList(3, String.class);
      entities.addAll(named == null ? List.of() : named);
    }
  }
}
