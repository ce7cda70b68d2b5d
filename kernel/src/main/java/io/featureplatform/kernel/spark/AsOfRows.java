package io.featureplatform.kernel.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.udf;

import io.featureplatform.kernel.tile.AsOf;
import io.featureplatform.kernel.tile.AsOfPlan;
import io.featureplatform.kernel.tile.Column;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Point-in-time values: the questions and the partials of an entity, sorted by when they come to be
 * known, go through one {@link AsOf}. Of an entity nothing else is in memory.
 */
public final class AsOfRows {
  /** Of more entities nothing is left out: most events are of one that is asked about. */
  private static final int ENTITIES_MAX = 1_000_000;

  private static final int ENTITY = 0;
  private static final int AT = 1;
  private static final int ROW = 2;
  private static final int TIME = 3;
  private static final int FIRST_PARTIAL = 4;
  private static final int FIRST_SLOT = 2;

  private AsOfRows() {}

  /**
   * Returns the events of entities that are asked about; of very many entities, all events.
   *
   * <p>Entities are known by a hash, so those of a few others may be left in.
   *
   * @param events with a column of that name
   * @param questions {@code entity} STRING
   */
  public static Dataset<Row> asked(Dataset<Row> events, String entity, Dataset<Row> questions) {
    long[] hashes =
        questions
            .select(expr("xxhash64(entity)"))
            .distinct()
            .limit(ENTITIES_MAX + 1)
            .as(Encoders.LONG())
            .collectAsList()
            .stream()
            .mapToLong(hash -> hash)
            .sorted()
            .toArray();
    if (hashes.length > ENTITIES_MAX) {
      return events;
    }
    UDF1<Long, Boolean> isAsked = hash -> Arrays.binarySearch(hashes, hash) >= 0;
    return events.filter(
        udf(isAsked, DataTypes.BooleanType)
            .apply(expr("xxhash64(CAST(`" + entity + "` AS STRING))")));
  }

  /**
   * Answers questions.
   *
   * @param partials of single events, as {@link EventPartials} returns them, with {@code __at}
   *     BIGINT, when each comes to be known
   * @param questions {@code row} BIGINT, {@code entity} STRING, {@code instant} BIGINT
   * @param specJson the job spec
   * @param planJson what is asked; see {@link AsOfPlan}
   * @param before whether a partial that comes to be known at the instant of a question itself
   *     counts for it
   * @return {@code row}, {@code known} BOOLEAN (whether the entity had any event), and a column for
   *     each slot, named {@code v0} and so on; in no order
   */
  public static Dataset<Row> of(
      Dataset<Row> partials,
      Dataset<Row> questions,
      String specJson,
      String planJson,
      boolean before) {
    AsOfPlan plan = AsOfPlan.fromJson(Definition.parse(specJson).layout(), planJson);
    Dataset<Row> sorted =
        told(partials, plan, 1)
            .union(asked(partials, questions, plan, before ? 2 : 0))
            .repartition(col("__entity"))
            .withColumn("__hash", expr("xxhash64(__entity)"))
            .sortWithinPartitions("__hash", "__entity", "__at", "__kind");
    JavaRDD<InternalRow> rows =
        InternalRows.of(sorted).mapPartitions(each -> new Answers(each, plan));
    return InternalRows.dataset(partials, rows, type(plan));
  }

  private static Dataset<Row> told(Dataset<Row> partials, AsOfPlan plan, int kind) {
    List<org.apache.spark.sql.Column> columns =
        new ArrayList<>(
            List.of(col("__entity"), col("__at"), lit(-1L).as("__row"), col("__ts").as("__time")));
    plan.layout().columns().forEach(each -> columns.add(col("`" + each.name() + "`")));
    columns.add(lit(kind).as("__kind"));
    return partials.select(columns.toArray(org.apache.spark.sql.Column[]::new));
  }

  private static Dataset<Row> asked(
      Dataset<Row> partials, Dataset<Row> questions, AsOfPlan plan, int kind) {
    List<org.apache.spark.sql.Column> columns =
        new ArrayList<>(
            List.of(
                col("entity").as("__entity"),
                col("instant").as("__at"),
                col("row").as("__row"),
                lit(0L).as("__time")));
    for (Column each : plan.layout().columns()) {
      columns.add(lit(null).cast(partials.schema().apply(each.name()).dataType()).as(each.name()));
    }
    columns.add(lit(kind).as("__kind"));
    return questions.select(columns.toArray(org.apache.spark.sql.Column[]::new));
  }

  private static StructType type(AsOfPlan plan) {
    StructType type =
        new StructType()
            .add("row", DataTypes.LongType, false)
            .add("known", DataTypes.BooleanType, false);
    List<Column> slots = plan.slots();
    for (int i = 0; i < slots.size(); i++) {
      boolean counter = slots.get(i).kind().isCounter();
      type = type.add("v" + i, counter ? DataTypes.LongType : DataTypes.BinaryType, true);
    }
    return type;
  }

  /** Answers the questions of entities, one entity after the other. Hot path. */
  private static final class Answers implements Iterator<InternalRow> {
    private final Iterator<InternalRow> sorted;
    private final AsOfPlan plan;
    private final int slots;
    private final PartialValues values = new PartialValues(FIRST_PARTIAL);
    private UTF8String entity;
    private AsOf state;
    private InternalRow ready;

    Answers(Iterator<InternalRow> sorted, AsOfPlan plan) {
      this.sorted = sorted;
      this.plan = plan;
      this.slots = plan.slots().size();
    }

    @Override
    public boolean hasNext() {
      while (ready == null && sorted.hasNext()) {
        ready = take(sorted.next());
      }
      return ready != null;
    }

    @Override
    public InternalRow next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      InternalRow answer = ready;
      ready = null;
      return answer;
    }

    /** Takes a partial or a question; returns the answer to that. */
    private InternalRow take(InternalRow row) {
      UTF8String name = row.getUTF8String(ENTITY);
      if (entity == null || !entity.equals(name)) {
        entity = name.copy();
        state = new AsOf(plan);
      }
      long question = row.getLong(ROW);
      if (question < 0) {
        state.add(row.getLong(AT), row.getLong(TIME), values.of(row));
        return null;
      }
      Object[] answer = new Object[FIRST_SLOT + slots];
      answer[0] = question;
      answer[1] = state.isKnown();
      state.ask(row.getLong(AT), answer, FIRST_SLOT);
      return new GenericInternalRow(answer);
    }
  }
}
