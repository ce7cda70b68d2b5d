package io.featureplatform.kernel.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.featureplatform.kernel.flink.sql.Finite;
import io.featureplatform.kernel.flink.sql.FixedPoint;
import io.featureplatform.kernel.flink.sql.ItemsFunction;
import io.featureplatform.kernel.flink.sql.Sortable;
import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.ItemsState;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.apache.flink.table.data.StringData;
import org.apache.spark.sql.expressions.Aggregator;
import org.junit.jupiter.api.Test;
import scala.Tuple4;
import scala.Tuple5;

/** Spark's functions give what Flink's of the same name give. */
class FunctionsAgreeTest {
  private static final int N = 3;

  /** Adds the value of one event to Flink's state. */
  private interface Accumulate<V> {
    void add(ItemsState state, V value, long timeMs, int partition, long offset);
  }

  /** An event as an aggregate sees it. */
  private record Event<V>(V value, long timeMs, int partition, long offset) {}

  @Property(tries = 200)
  void integers(@ForAll List<Long> values, @ForAll long seed) {
    for (FeatureMode mode : List.of(FeatureMode.FIRST, FeatureMode.LAST)) {
      ItemsFunction.OneInt flink = new ItemsFunction.OneInt(mode);
      agree(values, seed, flink, flink::accumulate, one(mode, ItemsAggregator.INT));
    }
    ItemsFunction.ManyInt flink = new ItemsFunction.ManyInt();
    Accumulate<Long> add =
        (state, v, time, part, at) -> flink.accumulate(state, v, N, time, part, at);
    agree(values, seed, flink, add, many(ItemsAggregator.INT));
  }

  @Property(tries = 200)
  void reals(@ForAll List<Double> values, @ForAll long seed) {
    for (FeatureMode mode : List.of(FeatureMode.FIRST, FeatureMode.LAST)) {
      ItemsFunction.OneReal flink = new ItemsFunction.OneReal(mode);
      agree(values, seed, flink, flink::accumulate, one(mode, ItemsAggregator.REAL));
    }
    ItemsFunction.ManyReal flink = new ItemsFunction.ManyReal();
    Accumulate<Double> add =
        (state, v, time, part, at) -> flink.accumulate(state, v, N, time, part, at);
    agree(values, seed, flink, add, many(ItemsAggregator.REAL));
  }

  @Property(tries = 200)
  void texts(@ForAll List<String> values, @ForAll long seed) {
    List<byte[]> bytes =
        values.stream().map(text -> text.getBytes(StandardCharsets.UTF_8)).toList();
    for (FeatureMode mode : List.of(FeatureMode.FIRST, FeatureMode.LAST)) {
      ItemsFunction.OneText flink = new ItemsFunction.OneText(mode);
      Accumulate<byte[]> add =
          (state, v, time, part, at) -> flink.accumulate(state, text(v), time, part, at);
      agree(bytes, seed, flink, add, one(mode, ItemsAggregator.TEXT));
    }
    ItemsFunction.ManyText flink = new ItemsFunction.ManyText();
    Accumulate<byte[]> add =
        (state, v, time, part, at) -> flink.accumulate(state, text(v), N, time, part, at);
    agree(bytes, seed, flink, add, many(ItemsAggregator.TEXT));
  }

  @Property
  void numbersOfDoubles(
      @ForAll @DoubleRange(min = -1e8, max = 1e8) double value,
      @ForAll @IntRange(max = 9) int scale)
      throws Exception {
    assertEquals(new FixedPoint().eval(value, scale), SqlFunctions.FIXED.call(value, scale));
    assertEquals(new Sortable().eval(value), SqlFunctions.SORTABLE.call(value));
    assertEquals(new Finite().eval(value), SqlFunctions.FINITE.call(value));
  }

  @Property
  void numbersOfDecimals(@ForAll long unscaled, @ForAll @IntRange(max = 9) int scale)
      throws Exception {
    BigDecimal value = BigDecimal.valueOf(unscaled, 9);
    assertEquals(new FixedPoint().eval(value, scale), SqlFunctions.FIXED.call(value, scale));
  }

  @Test
  void nullStaysNull() throws Exception {
    assertNull(SqlFunctions.FIXED.call(null, 2));
    assertNull(SqlFunctions.SORTABLE.call(null));
    assertNull(SqlFunctions.FIXED.call(1e300, 2));
    assertNull(SqlFunctions.FINITE.call(null));
    assertNull(SqlFunctions.FINITE.call(Double.NaN));
    assertNull(new Finite().eval(null));
    assertNull(new Finite().eval(Double.NaN));
  }

  private static StringData text(byte[] value) {
    return value == null ? null : StringData.fromBytes(value);
  }

  /** Aggregates in Flink at once and in Spark by parts, one of which is moved in between. */
  private static <V> void agree(
      List<V> values, long seed, ItemsFunction flink, Accumulate<V> accumulate, Spark<V> spark) {
    Random chance = new Random(seed);
    ItemsState state = flink.createAccumulator();
    ItemsBuffer[] parts = {spark.zero(), spark.zero()};
    for (int i = 0; i < values.size(); i++) {
      V value = chance.nextInt(5) == 0 ? null : values.get(i);
      Event<V> event = new Event<>(value, chance.nextInt(20), chance.nextInt(2), i);
      accumulate.add(state, value, event.timeMs, event.partition, event.offset);
      int part = chance.nextInt(2);
      parts[part] = spark.reduce(parts[part], event);
    }
    ItemsBuffer merged = spark.merge(spark.merge(spark.zero(), moved(parts[0])), parts[1]);
    assertArrayEquals(flink.getValue(state), spark.finish(merged));
  }

  private static ItemsBuffer moved(ItemsBuffer buffer) {
    ItemsBuffer moved = new ItemsBuffer();
    moved.setN(buffer.getN());
    moved.setBytes(buffer.getBytes());
    return moved;
  }

  private static <V> Spark<V> one(FeatureMode mode, ItemsAggregator.Adder<V> adder) {
    return new Spark<>(
        new ItemsAggregator.One<>(mode, adder),
        event -> new Tuple4<>(event.value, event.timeMs, event.partition, event.offset));
  }

  private static <V> Spark<V> many(ItemsAggregator.Adder<V> adder) {
    return new Spark<>(
        new ItemsAggregator.Many<>(adder),
        event -> new Tuple5<>(event.value, N, event.timeMs, event.partition, event.offset));
  }

  /** An aggregator with the form that it takes events in. */
  private static final class Spark<V> {
    private final Reduce<V> reduce;
    private final Aggregator<?, ItemsBuffer, byte[]> aggregator;

    private interface Reduce<V> {
      ItemsBuffer of(ItemsBuffer buffer, Event<V> event);
    }

    private interface Input<V, I> {
      I of(Event<V> event);
    }

    <I> Spark(Aggregator<I, ItemsBuffer, byte[]> aggregator, Input<V, I> input) {
      this.aggregator = aggregator;
      this.reduce = (buffer, event) -> aggregator.reduce(buffer, input.of(event));
    }

    ItemsBuffer zero() {
      return aggregator.zero();
    }

    ItemsBuffer reduce(ItemsBuffer buffer, Event<V> event) {
      return reduce.of(buffer, event);
    }

    ItemsBuffer merge(ItemsBuffer buffer, ItemsBuffer other) {
      return aggregator.merge(buffer, other);
    }

    byte[] finish(ItemsBuffer buffer) {
      return aggregator.finish(buffer);
    }
  }
}
