package io.featureplatform.kernel.spark;

import java.io.Serializable;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/** Counts what tasks have written; the driver sees what ended tasks did, each of them once. */
public final class Progress implements Serializable {
  private static final long serialVersionUID = 1L;

  private final LongAccumulator rows = new LongAccumulator();
  private final LongAccumulator bytes = new LongAccumulator();
  private final LongAccumulator expired = new LongAccumulator();

  /** Starts at nothing, and is known to Spark. */
  public static Progress start(SparkSession session) {
    Progress progress = new Progress();
    session.sparkContext().register(progress.rows, "rows written");
    session.sparkContext().register(progress.bytes, "bytes written");
    session.sparkContext().register(progress.expired, "rows that are no longer kept");
    return progress;
  }

  /** Returns how many rows were written. */
  public long rows() {
    return rows.sum();
  }

  /** Returns how many bytes their payloads have. */
  public long bytes() {
    return bytes.sum();
  }

  /** Returns how many rows were not written because no window can reach them. */
  public long expired() {
    return expired.sum();
  }

  void written(long payloadBytes) {
    rows.add(1L);
    bytes.add(payloadBytes);
  }

  void leftOut() {
    expired.add(1L);
  }
}
