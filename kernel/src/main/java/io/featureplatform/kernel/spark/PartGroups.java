package io.featureplatform.kernel.spark;

import static scala.jdk.javaapi.CollectionConverters.asJava;
import static scala.jdk.javaapi.CollectionConverters.asScala;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.Complete$;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.aggregate.BaseAggregateExec;
import org.apache.spark.sql.execution.aggregate.HashAggregateExec;
import org.apache.spark.sql.execution.aggregate.ObjectHashAggregateExec;
import scala.Option;
import scala.collection.immutable.Seq;

/**
 * Groups within each part of the input alone, without a shuffle: {@link TileRows} shuffles by the
 * entity anyway, and rolling up adds the partials of one tile as it adds those of two.
 */
public final class PartGroups {
  private PartGroups() {}

  /**
   * Returns the groups of each part of the input; one that has events in several parts comes
   * several times.
   *
   * <p>Spark plans an aggregate as two, of which the second requires an exchange. Here they are
   * made the one that does all; a query that is planned in another way is left as it is.
   *
   * @param grouped a query with GROUP BY, whose aggregates can be merged
   */
  public static Dataset<Row> of(Dataset<Row> grouped) {
    SparkPlan plan = InternalRows.classic(grouped).queryExecution().sparkPlan();
    return InternalRows.dataset(
        grouped, InternalRows.of(grouped, inOneStep(plan)), grouped.schema());
  }

  private static SparkPlan inOneStep(SparkPlan plan) {
    if (plan instanceof HashAggregateExec last && last.child() instanceof HashAggregateExec first) {
      return new HashAggregateExec(
          Option.empty(),
          false,
          Option.empty(),
          first.groupingExpressions(),
          complete(first),
          last.aggregateAttributes(),
          0,
          last.resultExpressions(),
          first.child());
    }
    if (plan instanceof ObjectHashAggregateExec last
        && last.child() instanceof ObjectHashAggregateExec first) {
      return new ObjectHashAggregateExec(
          Option.empty(),
          false,
          Option.empty(),
          first.groupingExpressions(),
          complete(first),
          last.aggregateAttributes(),
          0,
          last.resultExpressions(),
          first.child());
    }
    return plan;
  }

  static Seq<AggregateExpression> complete(BaseAggregateExec partial) {
    return asScala(
            asJava(partial.aggregateExpressions()).stream().map(PartGroups::complete).toList())
        .toSeq();
  }

  private static AggregateExpression complete(AggregateExpression each) {
    return each.copy(
        each.aggregateFunction(),
        Complete$.MODULE$,
        each.isDistinct(),
        each.filter(),
        each.resultId());
  }
}
