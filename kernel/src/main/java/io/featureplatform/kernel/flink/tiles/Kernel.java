package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.job.JobSpec;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.types.Row;

/** Attaches the {@link TileKernelOperator} to a changelog. */
public final class Kernel {
  /** Uid of the operator; its state outlives every change of the query. */
  public static final String UID = "kernel";

  private Kernel() {}

  /**
   * Ends the graph: the changelog goes to the store.
   *
   * @param changelog rows of {@code __entity}, {@code __tile} and the layout's columns
   * @param specJson the job spec
   * @return a stream without elements
   */
  public static SingleOutputStreamOperator<Void> attach(
      DataStream<Row> changelog, String specJson) {
    JobSpec.parse(specJson);
    return changelog
        .keyBy((KeySelector<Row, String>) Kernel::entity, Types.STRING)
        .transform(
            "kernel",
            Types.VOID,
            new TileKernelOperator(specJson, JobSpec::openPorts, KafkaChangeSender::of))
        .uid(UID);
  }

  static String entity(Row row) {
    return (String) row.getField(RowValues.ENTITY);
  }
}
