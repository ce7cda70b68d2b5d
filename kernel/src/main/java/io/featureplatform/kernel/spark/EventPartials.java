package io.featureplatform.kernel.spark;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.aggregate.BaseAggregateExec;
import org.apache.spark.sql.execution.aggregate.SortAggregateExec;
import scala.Option;

/**
 * The partials of single events: a query that is grouped by what names an event, computed row by
 * row. Nothing is sorted, shuffled or kept, because a group is a row.
 */
public final class EventPartials {
  private EventPartials() {}

  /**
   * Returns the groups of a query.
   *
   * <p>Spark's aggregate over sorted rows ends a group where the next one begins. Rows that each
   * are a group of their own need not be sorted for that. A query that is planned in another way
   * than expected is left as it is: it gives the same, in more time.
   *
   * @param grouped a query with GROUP BY, among others by the partition and offset of an event
   */
  public static Dataset<Row> of(Dataset<Row> grouped) {
    SparkPlan plan = InternalRows.classic(grouped).queryExecution().sparkPlan();
    if (!(plan instanceof BaseAggregateExec last)
        || !(last.child() instanceof BaseAggregateExec first)) {
      return grouped;
    }
    SparkPlan rows =
        QueryExecution.prepareExecutedPlan(
            InternalRows.classic(grouped).sparkSession(), first.child());
    SparkPlan each =
        new SortAggregateExec(
            Option.empty(),
            false,
            Option.empty(),
            first.groupingExpressions(),
            PartGroups.complete(first),
            last.aggregateAttributes(),
            0,
            last.resultExpressions(),
            rows);
    return InternalRows.dataset(grouped, each.execute().toJavaRDD(), grouped.schema());
  }
}
