package io.featureplatform.kernel.spark;

import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.types.StructType;

/**
 * From a dataset to rows as Spark holds them inside, and back, so that none is converted on the
 * way.
 */
final class InternalRows {
  private InternalRows() {}

  /** Returns the rows; each may be used again for the next, and nothing runs before it is asked. */
  static JavaRDD<InternalRow> of(Dataset<Row> rows) {
    return of(rows, classic(rows).queryExecution().sparkPlan());
  }

  /**
   * Returns the rows of another plan.
   *
   * <p>Not planned adaptively: that would run all but the last stage now.
   *
   * @param rows what the plan was made of
   * @param plan a physical plan without exchanges, which are put in where it requires them
   */
  static JavaRDD<InternalRow> of(Dataset<Row> rows, SparkPlan plan) {
    return QueryExecution.prepareExecutedPlan(classic(rows).sparkSession(), plan)
        .execute()
        .toJavaRDD();
  }

  /**
   * Makes a dataset of rows.
   *
   * @param like a dataset of the session
   */
  static Dataset<Row> dataset(Dataset<Row> like, JavaRDD<InternalRow> rows, StructType type) {
    return classic(like).sparkSession().internalCreateDataFrame(rows.rdd(), type, false);
  }

  static org.apache.spark.sql.classic.Dataset<Row> classic(Dataset<Row> rows) {
    return (org.apache.spark.sql.classic.Dataset<Row>) rows;
  }
}
