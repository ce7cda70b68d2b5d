package io.featureplatform.kernel.store;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchStatementBuilder;
import com.datastax.oss.driver.api.core.cql.BatchableStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.Statement;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.protocol.internal.util.Bytes;
import io.featureplatform.kernel.tile.TileKey;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The rows of one generation in Cassandra or ScyllaDB, read and written at LOCAL_QUORUM. */
final class CqlTileStore implements TileStore {
  private final CqlSession session;
  private final PreparedStatement select;
  private final PreparedStatement selectUndo;
  private final PreparedStatement insert;
  private final TupleType clustering;

  /** Prepares the statements; blocks. The session stays the caller's. */
  CqlTileStore(CqlSession session, String keyspace, String table) {
    this.session = session;
    String name = CqlNames.qualified(keyspace, table);
    this.select =
        session.prepare(
            "SELECT level, start, payload, WRITETIME(payload) FROM "
                + name
                + " WHERE entity = ? AND (level, start) IN ?");
    this.selectUndo =
        session.prepare(
            "SELECT start, payload FROM %s WHERE entity = ? AND level = %d AND start >= ?"
                    .formatted(name, UndoKey.LEVEL)
                + " AND start <= ? LIMIT ?");
    this.insert =
        session.prepare(
            "INSERT INTO "
                + name
                + " (entity, level, start, payload) VALUES (?, ?, ?, ?)"
                + " USING TIMESTAMP ? AND TTL ?");
    this.clustering = DataTypes.tupleOf(DataTypes.INT, DataTypes.BIGINT);
    clustering.attach(session.getContext());
  }

  @Override
  public CompletionStage<Map<TileKey, StoredRow>> read(String entity, Collection<TileKey> keys) {
    List<TupleValue> wanted =
        keys.stream().map(key -> clustering.newValue(key.level(), key.startMs())).toList();
    Statement<?> statement = select.bind(entity, wanted).setIdempotent(true);
    return CqlErrors.translate(
        session.executeAsync(statement).thenCompose(page -> collect(page, new HashMap<>())));
  }

  @Override
  public CompletionStage<List<Undo>> undo(String entity, long from, long to, int limit) {
    Statement<?> statement = selectUndo.bind(entity, from, to, limit).setIdempotent(true);
    return CqlErrors.translate(
        session
            .executeAsync(statement)
            .thenCompose(page -> collectUndo(page, new ArrayList<>(page.remaining()))));
  }

  @Override
  public CompletionStage<Void> write(String entity, List<RowWrite> rows, long timestamp) {
    return CqlErrors.translate(
        session.executeAsync(batch(entity, rows, timestamp)).thenApply(done -> null));
  }

  @Override
  public void close() {
    // The session is the ports'.
  }

  private Statement<?> batch(String entity, List<RowWrite> rows, long timestamp) {
    if (rows.size() == 1) {
      return bind(entity, rows.get(0), timestamp);
    }
    BatchStatementBuilder batch = BatchStatement.builder(DefaultBatchType.UNLOGGED);
    for (RowWrite row : rows) {
      batch.addStatement(bind(entity, row, timestamp));
    }
    return batch.setIdempotence(true).build();
  }

  private BatchableStatement<?> bind(String entity, RowWrite row, long timestamp) {
    return insert
        .boundStatementBuilder()
        .setString(0, entity)
        .setInt(1, row.key().level())
        .setLong(2, row.key().startMs())
        .setByteBuffer(3, ByteBuffer.wrap(row.payload()))
        .setLong(4, timestamp)
        .setInt(5, row.ttlSeconds())
        .setIdempotence(true)
        .build();
  }

  private static CompletionStage<Map<TileKey, StoredRow>> collect(
      AsyncResultSet page, Map<TileKey, StoredRow> rows) {
    for (Row row : page.currentPage()) {
      rows.put(
          new TileKey(row.getInt(0), row.getLong(1)),
          new StoredRow(Bytes.getArray(row.getByteBuffer(2)), row.getLong(3)));
    }
    return page.hasMorePages()
        ? page.fetchNextPage().thenCompose(next -> collect(next, rows))
        : CompletableFuture.completedFuture(rows);
  }

  private static CompletionStage<List<Undo>> collectUndo(AsyncResultSet page, List<Undo> undo) {
    for (Row row : page.currentPage()) {
      undo.add(new Undo(row.getLong(0), Bytes.getArray(row.getByteBuffer(1))));
    }
    return page.hasMorePages()
        ? page.fetchNextPage().thenCompose(next -> collectUndo(next, undo))
        : CompletableFuture.completedFuture(undo);
  }
}
