package io.featureplatform.kernel.spark;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.udf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.event.SourceSchema;
import io.featureplatform.kernel.tile.AsOf;
import io.featureplatform.kernel.tile.AsOfAnswer;
import io.featureplatform.kernel.tile.AsOfPlan;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * What rows of entities can have held when they were read: for each question the answer by the
 * events up to a cut, which the row held for sure, and the answer by each event alone that it may
 * have held, too. Whoever compares adds them up.
 *
 * <p>Events are numbered by the cuts of a chain: an event has the place of the first cut that holds
 * it. The questions and the events of an entity, sorted by these numbers, go through one {@link
 * AsOf}.
 */
public final class StateRows {
  /** What stands for a partition in the answer by all events up to a cut. */
  private static final int WHOLE = -1;

  /** The same in the note that there are more events than are listed. */
  private static final int MORE = -2;

  private static final int ENTITY = 0;
  private static final int AT = 1;
  private static final int KIND = 2;
  private static final int TIME = 3;
  private static final int PARTITION = 4;
  private static final int OFFSET = 5;
  private static final int APPENDED = 6;
  private static final int PACKED = 7;
  private static final int FIRST_PARTIAL = 6;
  private static final int PARTIAL = 1;
  private static final int QUESTION = 2;
  private static final int FIRST_ITEM = 7;

  /** Of a question: offset is its row, partition the number of the last cut that may count. */
  private static final StructType SORTED =
      new StructType()
          .add("__entity", DataTypes.StringType, false)
          .add("__at", DataTypes.IntegerType, false)
          .add("__kind", DataTypes.IntegerType, false)
          .add("__time", DataTypes.LongType, false)
          .add("__partition", DataTypes.IntegerType, false)
          .add("__offset", DataTypes.LongType, false)
          .add("__appended", DataTypes.LongType, false)
          .add("__partials", DataTypes.BinaryType);

  private StateRows() {}

  /**
   * How many events are reported, and how far questions may go back.
   *
   * @param eventsMax of one question, events that are listed
   * @param openMs how much later than a question was read a record may lie in a partition before
   *     one that is older; then the question is done
   * @param firstMs the instant of the first question
   * @param lastMs that of the last one
   */
  public record Limits(int eventsMax, long openMs, long firstMs, long lastMs)
      implements java.io.Serializable {}

  /**
   * Answers questions.
   *
   * @param partials of single events, as {@link EventPartials} returns them
   * @param questions {@code row} BIGINT, {@code entity} STRING, {@code instant} BIGINT, {@code
   *     lower} INT, the cut that the row held for sure, {@code upper} INT, the cut that it did not
   *     get beyond, and {@code known} BIGINT: events that the broker took until then are listed,
   *     too
   * @param specJson the job spec
   * @param planJson what is asked; see {@link AsOfPlan}
   * @param chainJson of each partition, its position at each cut of the chain, which ascend
   * @return {@code row}, {@code partition} INT, {@code offset}, {@code appended}, {@code time}
   *     BIGINT (of an event; partition -1: of the events up to the cut; -2: there are more events),
   *     {@code known} BOOLEAN, {@code counters} and items as {@link AsOfRows} has them; in no order
   */
  public static Dataset<Row> of(
      Dataset<Row> partials,
      Dataset<Row> questions,
      String specJson,
      String planJson,
      String chainJson,
      Limits limits) {
    AsOfPlan plan = AsOfPlan.fromJson(Definition.parse(specJson).layout(), planJson);
    Dataset<Row> sorted =
        packed(numbered(partials, chain(chainJson)), plan)
            .union(asked(questions))
            .repartition(col("__entity"))
            .withColumn("__hash", expr("xxhash64(__entity)"))
            .sortWithinPartitions("__hash", "__entity", "__at", "__kind", "__appended");
    JavaRDD<InternalRow> rows =
        InternalRows.of(sorted).mapPartitions(each -> new Answers(each, plan, limits));
    return InternalRows.dataset(partials, rows, type(plan));
  }

  private static Map<Integer, long[]> chain(String json) {
    try {
      return new ObjectMapper().readValue(json, new TypeReference<Map<Integer, long[]>>() {});
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the chain of cuts is not JSON", e);
    }
  }

  /** Adds {@code __at}: how many cuts do not hold an event; all hold those of the history. */
  private static Dataset<Row> numbered(Dataset<Row> partials, Map<Integer, long[]> chain) {
    int cuts = chain.values().stream().mapToInt(each -> each.length).max().orElse(1);
    UDF2<Integer, Long, Integer> number =
        (partition, offset) -> {
          if (partition == SourceSchema.HISTORY_PARTITION) {
            return 0;
          }
          long[] positions = chain.get(partition);
          return positions == null ? cuts : without(positions, offset);
        };
    Column at = udf(number, DataTypes.IntegerType).apply(col("__partition"), col("__offset"));
    return partials.withColumn("__at", at);
  }

  /** Returns how many positions are not behind an offset. */
  private static int without(long[] positions, long offset) {
    int low = 0;
    int high = positions.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (positions[middle] <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private static Dataset<Row> packed(Dataset<Row> partials, AsOfPlan plan) {
    List<Column> columns = new ArrayList<>();
    for (String name :
        List.of("__entity", "__at", "__ts", "__partition", "__offset", "__appended")) {
      columns.add(col(name));
    }
    plan.layout().columns().forEach(each -> columns.add(col("`" + each.name() + "`")));
    Dataset<Row> ordered = partials.select(columns.toArray(Column[]::new));
    JavaRDD<InternalRow> rows =
        InternalRows.of(ordered).mapPartitions(each -> new Packed(each, plan));
    return InternalRows.dataset(partials, rows, SORTED);
  }

  private static Dataset<Row> asked(Dataset<Row> questions) {
    return questions.select(
        col("entity").as("__entity"),
        col("lower").as("__at"),
        lit(QUESTION).as("__kind"),
        col("instant").as("__time"),
        col("upper").as("__partition"),
        col("row").as("__offset"),
        col("known").as("__appended"),
        lit(null).cast(DataTypes.BinaryType).as("__partials"));
  }

  private static StructType type(AsOfPlan plan) {
    StructType type =
        new StructType()
            .add("row", DataTypes.LongType, false)
            .add("partition", DataTypes.IntegerType, false)
            .add("offset", DataTypes.LongType, false)
            .add("appended", DataTypes.LongType, false)
            .add("time", DataTypes.LongType, false)
            .add("known", DataTypes.BooleanType, false)
            .add("counters", DataTypes.BinaryType, false);
    for (int slot : AsOfRows.items(plan)) {
      type = type.add("v" + slot, DataTypes.BinaryType, true);
    }
    return type;
  }

  /** Makes small rows of partials, for the shuffle. Hot path. */
  private static final class Packed implements Iterator<InternalRow> {
    private final Iterator<InternalRow> rows;
    private final PartialValues values = new PartialValues(FIRST_PARTIAL);
    private final PackedPartials packer;

    Packed(Iterator<InternalRow> rows, AsOfPlan plan) {
      this.rows = rows;
      this.packer = AsOfRows.packer(plan);
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
            row.getUTF8String(0),
            row.getInt(1),
            PARTIAL,
            row.getLong(2),
            row.getInt(3),
            row.getLong(4),
            row.getLong(5),
            partials
          });
    }
  }

  /** A question whose later events are listed. Mutable: it counts them. */
  private static final class Open {
    private final long row;
    private final long instantMs;
    private final int upper;
    private final long knownMs;
    private int left;

    Open(InternalRow row, int eventsMax) {
      this.row = row.getLong(OFFSET);
      this.instantMs = row.getLong(TIME);
      this.upper = row.getInt(PARTITION);
      this.knownMs = row.getLong(APPENDED);
      this.left = eventsMax;
    }

    boolean wants(int at, long appendedMs) {
      return at <= upper || appendedMs <= knownMs;
    }

    boolean isDone(int at, long appendedMs, long openMs) {
      return left < 0 || (at > upper && appendedMs > knownMs + openMs);
    }
  }

  /** Answers the questions of entities, one entity after the other. */
  private static final class Answers implements Iterator<InternalRow> {
    private final Iterator<InternalRow> sorted;
    private final AsOfPlan plan;
    private final Limits limits;
    private final PackedPartials partials;
    private final AsOfAnswer found;
    private final int[] items;
    private final Deque<InternalRow> ready = new ArrayDeque<>();
    private final List<Open> open = new ArrayList<>();
    private UTF8String entity;
    private AsOf state;
    private long atMs;

    Answers(Iterator<InternalRow> sorted, AsOfPlan plan, Limits limits) {
      this.sorted = sorted;
      this.plan = plan;
      this.limits = limits;
      this.partials = AsOfRows.packer(plan);
      this.found = new AsOfAnswer(plan);
      this.items = AsOfRows.items(plan);
    }

    @Override
    public boolean hasNext() {
      while (ready.isEmpty() && sorted.hasNext()) {
        take(sorted.next());
      }
      return !ready.isEmpty();
    }

    @Override
    public InternalRow next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return ready.remove();
    }

    private void take(InternalRow row) {
      UTF8String name = row.getUTF8String(ENTITY);
      if (entity == null || !entity.equals(name)) {
        entity = name.copy();
        state = new AsOf(plan, limits.lastMs() - limits.firstMs());
        atMs = limits.firstMs();
        open.clear();
      }
      if (row.getInt(KIND) == PARTIAL) {
        byte[] packed = row.getBinary(PACKED);
        tell(row, packed);
        state.add(atMs, row.getLong(TIME), partials.of(packed));
        return;
      }
      atMs = row.getLong(TIME);
      state.ask(atMs, found);
      ready.add(answer(row.getLong(OFFSET), WHOLE, 0, 0, 0, state.isKnown()));
      open.add(new Open(row, limits.eventsMax()));
    }

    /** Answers the open questions by one event alone. */
    private void tell(InternalRow row, byte[] packed) {
      int at = row.getInt(AT);
      long timeMs = row.getLong(TIME);
      long appendedMs = row.getLong(APPENDED);
      open.removeIf(each -> each.isDone(at, appendedMs, limits.openMs()));
      for (Open each : open) {
        if (!each.wants(at, appendedMs)) {
          continue;
        }
        each.left--;
        AsOf alone = new AsOf(plan);
        if (each.left >= 0) {
          alone.add(each.instantMs, timeMs, partials.of(packed));
        }
        alone.ask(each.instantMs, found);
        int partition = each.left < 0 ? MORE : row.getInt(PARTITION);
        ready.add(answer(each.row, partition, row.getLong(OFFSET), appendedMs, timeMs, true));
      }
    }

    private InternalRow answer(
        long row, int partition, long offset, long appendedMs, long timeMs, boolean known) {
      Object[] answer = new Object[FIRST_ITEM + items.length];
      answer[0] = row;
      answer[1] = partition;
      answer[2] = offset;
      answer[3] = appendedMs;
      answer[4] = timeMs;
      answer[5] = known;
      answer[6] = found.counters();
      for (int i = 0; i < items.length; i++) {
        answer[FIRST_ITEM + i] = found.item(items[i]);
      }
      return new GenericInternalRow(answer);
    }
  }
}
