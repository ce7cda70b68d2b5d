package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.concurrent.RetryingTileStore;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.sql.Row;

/**
 * Writes the rows of one task: an entity's in one batch, or several if they are large, all under
 * the one timestamp of the attempt. Mutable, for one thread.
 */
final class RowWriter {
  /** Number of the only flush of a backfill. */
  static final long FLUSH = 1;

  private final TileStore store;
  private final Layout layout;
  private final Clock clock;
  private final long writeTime;
  private final WriteLimits limits;
  private final Progress progress;
  private final Pace pace;
  private final InFlight inFlight;
  private List<RowWrite> batch = new ArrayList<>();
  private String entity;
  private long batchBytes;

  RowWriter(
      TileStore store,
      Layout layout,
      Clock clock,
      int attempt,
      WriteLimits limits,
      Progress progress) {
    this.store = store;
    this.layout = layout;
    this.clock = clock;
    this.writeTime = WriteTime.of(attempt, FLUSH);
    this.limits = limits;
    this.progress = progress;
    this.pace = new Pace(limits.rowsPerSecondMax());
    this.inFlight = new InFlight(limits.batchesInFlightMax());
  }

  /** Writes a partition to the store that the spec names; returns when all is acknowledged. */
  static void write(
      Iterator<Row> rows, String specJson, int attempt, WriteLimits limits, Progress progress)
      throws InterruptedException {
    if (!rows.hasNext()) {
      return;
    }
    JobSpec spec = JobSpec.parse(specJson);
    try (Ports ports = spec.openPorts();
        Retry retry = new Retry(spec.settings().storeRetryMs(), ports.clock())) {
      TileStore store = new RetryingTileStore(ports.tiles(), retry);
      new RowWriter(store, Layout.fromJson(spec.layout()), ports.clock(), attempt, limits, progress)
          .write(rows);
    }
  }

  /** Writes rows, those of an entity together; returns when all are acknowledged. */
  void write(Iterator<Row> rows) throws InterruptedException {
    while (rows.hasNext()) {
      Row row = rows.next();
      add(row.getString(0), new TileKey(row.getInt(1), row.getLong(2)), (byte[]) row.get(3));
    }
    send();
    inFlight.awaitAll();
  }

  private void add(String name, TileKey key, byte[] payload) throws InterruptedException {
    long nowMs = clock.nowMs();
    long secondsLeft = key.equals(TileStore.HEAD) ? 0 : layout.ttlSeconds(key, nowMs);
    if (!key.equals(TileStore.HEAD) && secondsLeft <= 0) {
      progress.leftOut();
      return;
    }
    if (!name.equals(entity) || batchBytes + payload.length > limits.batchBytesMax()) {
      send();
      entity = name;
    }
    batch.add(
        key.equals(TileStore.HEAD)
            ? RowWrite.head(payload)
            : RowWrite.closed(key, payload, secondsLeft, nowMs));
    batchBytes += payload.length;
    progress.written(payload.length);
  }

  private void send() throws InterruptedException {
    if (batch.isEmpty()) {
      return;
    }
    List<RowWrite> rows = batch;
    String of = entity;
    batch = new ArrayList<>();
    batchBytes = 0;
    pace.await(rows.size());
    inFlight.submit(() -> store.write(of, rows, writeTime));
  }
}
