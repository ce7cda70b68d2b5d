package io.featureplatform.kernel.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.udf;

import io.featureplatform.kernel.tile.AsOf;
import io.featureplatform.kernel.tile.AsOfAnswer;
import io.featureplatform.kernel.tile.AsOfPlan;
import io.featureplatform.kernel.tile.Column;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.IntStream;
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
  private static final int TIME = 2;
  private static final int FIRST_PARTIAL = 3;
  private static final int ROW = 3;
  private static final int KIND = 4;
  private static final int PARTIALS = 5;
  private static final int PARTIAL = 1;
  private static final int FIRST_ITEM = 3;

  private static final StructType SORTED =
      new StructType()
          .add("__entity", DataTypes.StringType, false)
          .add("__at", DataTypes.LongType, false)
          .add("__time", DataTypes.LongType, false)
          .add("__row", DataTypes.LongType, false)
          .add("__kind", DataTypes.IntegerType, false)
          .add("__partials", DataTypes.BinaryType);

  private AsOfRows() {}

  /**
   * Returns the events of entities that are asked about; of very many entities, all events.
   *
   * <p>Entities are known by a hash, so those of a few others may be left in.
   *
   * @param events with a column of that name
   * @param questions {@code entity} STRING
   * @param rows how many questions there are at most
   */
  public static Dataset<Row> asked(
      Dataset<Row> events, String entity, Dataset<Row> questions, long rows) {
    Dataset<Row> all = questions.select(expr("xxhash64(entity)"));
    Dataset<Row> few = rows <= ENTITIES_MAX ? all : all.distinct().limit(ENTITIES_MAX + 1);
    long[] hashes =
        few.as(Encoders.LONG()).collectAsList().stream()
            .mapToLong(hash -> hash)
            .sorted()
            .distinct()
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
   * @return {@code row}, {@code known} BOOLEAN (whether the entity had any event), {@code counters}
   *     BINARY (see {@link AsOfAnswer}), and a BINARY for each slot of an item, named {@code v0}
   *     and so on by its slot; in no order
   */
  public static Dataset<Row> of(
      Dataset<Row> partials,
      Dataset<Row> questions,
      String specJson,
      String planJson,
      boolean before) {
    AsOfPlan plan = AsOfPlan.fromJson(Definition.parse(specJson).layout(), planJson);
    Dataset<Row> sorted =
        packed(partials, plan)
            .union(asked(questions, before ? PARTIAL + 1 : PARTIAL - 1))
            .repartition(col("__entity"))
            .withColumn("__hash", expr("xxhash64(__entity)"))
            .sortWithinPartitions("__hash", "__entity", "__at", "__kind");
    JavaRDD<InternalRow> rows =
        InternalRows.of(sorted).mapPartitions(each -> new Answers(each, plan));
    return InternalRows.dataset(partials, rows, type(plan));
  }

  private static Dataset<Row> packed(Dataset<Row> partials, AsOfPlan plan) {
    List<org.apache.spark.sql.Column> columns =
        new ArrayList<>(List.of(col("__entity"), col("__at"), col("__ts")));
    plan.layout().columns().forEach(each -> columns.add(col("`" + each.name() + "`")));
    Dataset<Row> ordered = partials.select(columns.toArray(org.apache.spark.sql.Column[]::new));
    JavaRDD<InternalRow> rows =
        InternalRows.of(ordered).mapPartitions(each -> new Packed(each, plan));
    return InternalRows.dataset(partials, rows, SORTED);
  }

  private static Dataset<Row> asked(Dataset<Row> questions, int kind) {
    return questions.select(
        col("entity").as("__entity"),
        col("instant").as("__at"),
        lit(0L).as("__time"),
        col("row").as("__row"),
        lit(kind).as("__kind"),
        lit(null).cast(DataTypes.BinaryType).as("__partials"));
  }

  /** Returns what packs the partials that are asked for. */
  static PackedPartials packer(AsOfPlan plan) {
    int[] asked = plan.slots().stream().mapToInt(Column::index).distinct().sorted().toArray();
    return new PackedPartials(plan.layout().columns(), asked);
  }

  private static StructType type(AsOfPlan plan) {
    StructType type =
        new StructType()
            .add("row", DataTypes.LongType, false)
            .add("known", DataTypes.BooleanType, false)
            .add("counters", DataTypes.BinaryType, false);
    for (int slot : items(plan)) {
      type = type.add("v" + slot, DataTypes.BinaryType, true);
    }
    return type;
  }

  /** Returns the slots that are no counters. */
  static int[] items(AsOfPlan plan) {
    List<Column> slots = plan.slots();
    return IntStream.range(0, slots.size())
        .filter(slot -> !slots.get(slot).kind().isCounter())
        .toArray();
  }

  /** Makes small rows of partials, for the shuffle. Hot path. */
  private static final class Packed implements Iterator<InternalRow> {
    private final Iterator<InternalRow> rows;
    private final PartialValues values = new PartialValues(FIRST_PARTIAL);
    private final PackedPartials packer;

    Packed(Iterator<InternalRow> rows, AsOfPlan plan) {
      this.rows = rows;
      this.packer = packer(plan);
    }

    @Override
    public boolean hasNext() {
      return rows.hasNext();
    }

    @Override
    public InternalRow next() {
      InternalRow row = rows.next();
      byte[] partials = packer.pack(values.of(row));
      return new GenericInternalRow(
          new Object[] {
            row.getUTF8String(ENTITY), row.getLong(AT), row.getLong(TIME), -1L, PARTIAL, partials
          });
    }
  }

  /** Answers the questions of entities, one entity after the other. Hot path. */
  private static final class Answers implements Iterator<InternalRow> {
    private final Iterator<InternalRow> sorted;
    private final AsOfPlan plan;
    private final PackedPartials partials;
    private final AsOfAnswer found;
    private final int[] items;
    private UTF8String entity;
    private AsOf state;
    private InternalRow ready;

    Answers(Iterator<InternalRow> sorted, AsOfPlan plan) {
      this.sorted = sorted;
      this.plan = plan;
      this.partials = packer(plan);
      this.found = new AsOfAnswer(plan);
      this.items = items(plan);
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
      if (row.getInt(KIND) == PARTIAL) {
        state.add(row.getLong(AT), row.getLong(TIME), partials.of(row.getBinary(PARTIALS)));
        return null;
      }
      state.ask(row.getLong(AT), found);
      Object[] answer = new Object[FIRST_ITEM + items.length];
      answer[0] = row.getLong(ROW);
      answer[1] = state.isKnown();
      answer[2] = found.counters();
      for (int i = 0; i < items.length; i++) {
        answer[FIRST_ITEM + i] = found.item(items[i]);
      }
      return new GenericInternalRow(answer);
    }
  }
}
