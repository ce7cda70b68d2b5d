package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.CqlIdentifier;
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
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.protocol.internal.util.Bytes;
import io.featureplatform.kernel.concurrent.Grouping;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.UndoKey;
import io.featureplatform.kernel.tile.TileKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * The rows of one generation in Cassandra or ScyllaDB, read and written at LOCAL_QUORUM.
 *
 * <p>Heads of some entities are read by one request, and rows of some are written by one, if the
 * same replicas hold them: a request of one small row costs Cassandra 150 us, in a group of ten
 * each costs it 50 (decision 0015). Rows of an entity stay together in any case.
 */
final class CqlTileStore implements TileStore {
  /** Cassandra warns of a batch of more partitions. */
  private static final int GROUP_MAX = 10;

  /** Cassandra warns of a batch of more than 5 KiB if it is of several partitions. */
  private static final int GROUP_BYTES_MAX = 4_096;

  private static final long GROUP_DELAY_MS = 1;

  /** A request or mutation of more than 16 MiB is refused, whatever it holds. */
  private static final int BATCH_BYTES_MAX = 4_194_304;

  /** About what the columns of a row take beside its payload. */
  private static final int ROW_BYTES = 48;

  private record HeadRead(String entity, CompletableFuture<Map<TileKey, StoredRow>> found) {}

  private record Write(
      String entity, List<RowWrite> rows, long timestamp, CompletableFuture<Void> acknowledged) {}

  private final CqlSession session;
  private final CqlIdentifier keyspace;
  private final PreparedStatement select;
  private final PreparedStatement selectHeads;
  private final PreparedStatement selectUndo;
  private final PreparedStatement insert;
  private final TupleType clustering;
  private final Grouping<HeadRead> headReads;
  private final Grouping<Write> writes;

  /** Prepares the statements; blocks. The session stays the caller's. */
  CqlTileStore(CqlSession session, String keyspace, String table) {
    this.session = session;
    this.keyspace = CqlIdentifier.fromInternal(keyspace);
    String name = CqlNames.qualified(keyspace, table);
    this.select =
        session.prepare(
            "SELECT level, start, payload, WRITETIME(payload) FROM "
                + name
                + " WHERE entity = ? AND (level, start) IN ? LIMIT ?");
    this.selectHeads =
        session.prepare(
            "SELECT entity, payload, WRITETIME(payload) FROM %s".formatted(name)
                + " WHERE entity IN ? AND level = %d AND start = %d LIMIT %d"
                    .formatted(HEAD.level(), HEAD.startMs(), GROUP_MAX));
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
    this.headReads = new Grouping<>(GROUP_MAX, GROUP_BYTES_MAX, GROUP_DELAY_MS, this::readHeads);
    this.writes = new Grouping<>(GROUP_MAX, GROUP_BYTES_MAX, GROUP_DELAY_MS, this::writeAll);
  }

  @Override
  public CompletionStage<Map<TileKey, StoredRow>> read(String entity, Collection<TileKey> keys) {
    if (keys.equals(HEAD_ALONE)) {
      HeadRead read = new HeadRead(entity, new CompletableFuture<>());
      headReads.add(replicas(entity), read, entity.length());
      return read.found();
    }
    List<TupleValue> wanted =
        keys.stream().map(key -> clustering.newValue(key.level(), key.startMs())).toList();
    Statement<?> statement = select.bind(entity, wanted, wanted.size()).setIdempotent(true);
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
    List<List<RowWrite>> batches = Batches.of(rows, BATCH_BYTES_MAX);
    CompletionStage<Void> written = writeBatch(entity, batches.get(0), timestamp);
    for (List<RowWrite> next : batches.subList(1, batches.size())) {
      written = written.thenCompose(acknowledged -> writeBatch(entity, next, timestamp));
    }
    return written;
  }

  private CompletionStage<Void> writeBatch(String entity, List<RowWrite> rows, long timestamp) {
    Write write = new Write(entity, rows, timestamp, new CompletableFuture<>());
    int bytes = entity.length();
    for (RowWrite row : rows) {
      bytes += ROW_BYTES + row.payload().length;
    }
    writes.add(replicas(entity), write, bytes);
    return write.acknowledged();
  }

  @Override
  public void close() {
    headReads.close();
    writes.close(); // The session is the ports'.
  }

  private Set<Node> replicas(String entity) {
    return session
        .getMetadata()
        .getTokenMap()
        .map(tokens -> tokens.getReplicas(keyspace, key(entity)))
        .orElse(Set.of());
  }

  private static ByteBuffer key(String entity) {
    return ByteBuffer.wrap(entity.getBytes(StandardCharsets.UTF_8));
  }

  private void readHeads(List<HeadRead> reads) {
    Map<String, StoredRow> heads = new HashMap<>();
    var unused =
        started(
                () ->
                    session
                        .executeAsync(bindHeads(reads))
                        .thenCompose(page -> collectHeads(page, heads)))
            .whenComplete(
                (done, error) ->
                    reads.forEach(read -> complete(read.found(), head(heads, read), error)));
  }

  private Statement<?> bindHeads(List<HeadRead> reads) {
    List<String> entities = reads.stream().map(HeadRead::entity).distinct().toList();
    return selectHeads
        .bind(entities)
        .setRoutingKey(key(entities.get(0))) // the driver finds none behind IN
        .setRoutingKeyspace(keyspace)
        .setIdempotent(true);
  }

  private static Map<TileKey, StoredRow> head(Map<String, StoredRow> heads, HeadRead read) {
    StoredRow head = heads.get(read.entity());
    return head == null ? Map.of() : Map.of(HEAD, head);
  }

  private void writeAll(List<Write> group) {
    var unused =
        started(() -> session.executeAsync(statement(group)))
            .whenComplete(
                (done, error) ->
                    group.forEach(write -> complete(write.acknowledged(), null, error)));
  }

  /** Whatever goes wrong fails all of a group: none of them may wait without end. */
  private static <T> CompletionStage<T> started(Supplier<CompletionStage<T>> request) {
    try {
      return CqlErrors.translate(request.get());
    } catch (RuntimeException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private static <T> void complete(CompletableFuture<T> future, T value, Throwable error) {
    if (error == null) {
      future.complete(value);
    } else {
      future.completeExceptionally(error);
    }
  }

  private Statement<?> statement(List<Write> group) {
    if (group.size() == 1 && group.get(0).rows().size() == 1) {
      Write write = group.get(0);
      return bind(write.entity(), write.rows().get(0), write.timestamp());
    }
    BatchStatementBuilder batch = BatchStatement.builder(DefaultBatchType.UNLOGGED);
    for (Write write : group) {
      for (RowWrite row : write.rows()) {
        batch.addStatement(bind(write.entity(), row, write.timestamp()));
      }
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

  private static CompletionStage<Map<String, StoredRow>> collectHeads(
      AsyncResultSet page, Map<String, StoredRow> heads) {
    for (Row row : page.currentPage()) {
      heads.put(
          row.getString(0), new StoredRow(Bytes.getArray(row.getByteBuffer(1)), row.getLong(2)));
    }
    return page.hasMorePages()
        ? page.fetchNextPage().thenCompose(next -> collectHeads(next, heads))
        : CompletableFuture.completedFuture(heads);
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
