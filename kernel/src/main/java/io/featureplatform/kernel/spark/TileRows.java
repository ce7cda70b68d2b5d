package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.tile.Layout;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.ForeachPartitionFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** From the SQL's result to the rows of a generation, and to the store. */
public final class TileRows {
  private static final StructType TYPE =
      new StructType()
          .add("entity", DataTypes.StringType, false)
          .add("level", DataTypes.IntegerType, false)
          .add("start", DataTypes.LongType, false)
          .add("payload", DataTypes.BinaryType, false);

  private static final StructType PACKED =
      new StructType()
          .add("entity", DataTypes.StringType, false)
          .add("rows", DataTypes.BinaryType, false);

  private TileRows() {}

  /**
   * Rolls partials up to every level, as the kernel of a job does.
   *
   * @param partials what the SQL returns: entity, finest tile, {@code _events} and the columns; of
   *     a tile there may be several rows
   * @param specJson the job spec
   * @return entity STRING, level INT (-1 the head), start BIGINT, payload BINARY; those of an
   *     entity are together
   */
  public static Dataset<Row> of(Dataset<Row> partials, String specJson) {
    return InternalRows.dataset(partials, rows(partials, specJson), TYPE);
  }

  /**
   * Rolls partials up as {@link #of} does, for readers that take an entity at a time.
   *
   * @return entity STRING, rows BINARY as {@link PackedRows} packs them
   */
  public static Dataset<Row> packed(Dataset<Row> partials, String specJson) {
    JavaRDD<InternalRow> packed = rows(partials, specJson).mapPartitions(PackedRows::new);
    return InternalRows.dataset(partials, packed, PACKED);
  }

  private static JavaRDD<InternalRow> rows(Dataset<Row> partials, String specJson) {
    Layout layout = Definition.parse(specJson).layout();
    PartialOrder order = new PartialOrder(layout);
    return InternalRows.of(order.of(partials))
        .mapPartitions(each -> new EntityRows(layout, order, each, EntityRows.TILES_MAX));
  }

  /**
   * Writes rows to the generation's table; returns when all are acknowledged. May be repeated: the
   * same bytes come under the same timestamp.
   *
   * @param rows as {@link #of} returns them
   * @param specJson the job spec
   * @param attempt the writer's, claimed for this backfill
   * @param progress counts what was written
   */
  public static void write(
      Dataset<Row> rows, String specJson, int attempt, WriteLimits limits, Progress progress) {
    ForeachPartitionFunction<Row> write =
        partition -> RowWriter.write(partition, specJson, attempt, limits, progress);
    rows.foreachPartition(write);
  }
}
