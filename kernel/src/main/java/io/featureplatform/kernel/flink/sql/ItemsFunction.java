package io.featureplatform.kernel.flink.sql;

import io.featureplatform.kernel.flink.ItemsSerializer;
import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.ItemsState;
import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.AggregateFunction;

/**
 * {@code FP_FIRST_*}, {@code FP_LAST_*} and {@code FP_LAST_N_*}: they return the partial's bytes,
 * ordered by (event time, partition, offset). NULL is ignored. The carrier is in the class, because
 * Flink finds the arguments in the {@code accumulate} method of each.
 */
@FunctionHint(
    accumulator =
        @DataTypeHint(
            value = "RAW",
            bridgedTo = ItemsState.class,
            rawSerializer = ItemsSerializer.class),
    output = @DataTypeHint("BYTES"))
public abstract class ItemsFunction extends AggregateFunction<byte[], ItemsState> {
  private static final long serialVersionUID = 1L;

  private final FeatureMode mode;

  private ItemsFunction(FeatureMode mode) {
    this.mode = mode;
  }

  @Override
  public ItemsState createAccumulator() {
    return new ItemsState(mode, 0, null);
  }

  @Override
  public byte[] getValue(ItemsState state) {
    return state.bytes();
  }

  /** Called by the SQL to join parts that were aggregated apart. */
  public void merge(ItemsState state, Iterable<ItemsState> others) {
    for (ItemsState other : others) {
      state.merge(other);
    }
  }

  private static void addInt(
      ItemsState state, Long value, int n, Long timeMs, Integer partition, Long offset) {
    if (value != null) {
      state.items(n).addInt(value, timeMs, partition, offset);
    }
  }

  private static void addReal(
      ItemsState state, Double value, int n, Long timeMs, Integer partition, Long offset) {
    if (value != null) {
      state.items(n).addReal(value + 0.0, timeMs, partition, offset);
    }
  }

  private static void addText(
      ItemsState state, StringData value, int n, Long timeMs, Integer partition, Long offset) {
    if (value != null) {
      state.items(n).addText(value.toBytes(), timeMs, partition, offset);
    }
  }

  /** FIRST or LAST of what is carried as BIGINT. */
  public static final class OneInt extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public OneInt(FeatureMode mode) {
      super(mode);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state, Long value, Long timeMs, Integer partition, Long offset) {
      addInt(state, value, 1, timeMs, partition, offset);
    }
  }

  /** FIRST or LAST of DOUBLE. */
  public static final class OneReal extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public OneReal(FeatureMode mode) {
      super(mode);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state, Double value, Long timeMs, Integer partition, Long offset) {
      addReal(state, value, 1, timeMs, partition, offset);
    }
  }

  /** FIRST or LAST of STRING. */
  public static final class OneText extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public OneText(FeatureMode mode) {
      super(mode);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state,
        @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData value,
        Long timeMs,
        Integer partition,
        Long offset) {
      addText(state, value, 1, timeMs, partition, offset);
    }
  }

  /** LAST_N of what is carried as BIGINT. */
  public static final class ManyInt extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public ManyInt() {
      super(FeatureMode.LAST_N);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state, Long value, Integer n, Long timeMs, Integer partition, Long offset) {
      addInt(state, value, n, timeMs, partition, offset);
    }
  }

  /** LAST_N of DOUBLE. */
  public static final class ManyReal extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public ManyReal() {
      super(FeatureMode.LAST_N);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state, Double value, Integer n, Long timeMs, Integer partition, Long offset) {
      addReal(state, value, n, timeMs, partition, offset);
    }
  }

  /** LAST_N of STRING. */
  public static final class ManyText extends ItemsFunction {
    private static final long serialVersionUID = 1L;

    /** Makes the function. */
    public ManyText() {
      super(FeatureMode.LAST_N);
    }

    /** Called by the SQL for each event. */
    public void accumulate(
        ItemsState state,
        @DataTypeHint(value = "STRING", bridgedTo = StringData.class) StringData value,
        Integer n,
        Long timeMs,
        Integer partition,
        Long offset) {
      addText(state, value, n, timeMs, partition, offset);
    }
  }
}
