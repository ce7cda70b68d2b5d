package io.featureplatform.kernel.spark;

import java.io.Serializable;

/**
 * How hard a backfill may press the store.
 *
 * @param batchesInFlightMax batches of one task that are not acknowledged
 * @param rowsPerSecondMax of one task; 0: as fast as the store takes them
 * @param batchBytesMax payloads of one batch; an entity with more is written in several
 */
public record WriteLimits(int batchesInFlightMax, int rowsPerSecondMax, int batchBytesMax)
    implements Serializable {
  /** Refuses limits with which nothing could be written. */
  public WriteLimits {
    if (batchesInFlightMax < 1 || rowsPerSecondMax < 0 || batchBytesMax < 1) {
      throw new IllegalArgumentException(
          "backfill limits must be above 0: %d batches in flight, %d rows/s, %d bytes per batch"
              .formatted(batchesInFlightMax, rowsPerSecondMax, batchBytesMax));
    }
  }
}
