package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.row.FeatureAccumulator;
import io.featureplatform.kernel.row.FeatureMode;
import java.io.Serializable;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.expressions.Aggregator;
import scala.Tuple4;
import scala.Tuple5;

/**
 * {@code FP_FIRST_*}, {@code FP_LAST_*} and {@code FP_LAST_N_*}: they return the partial's bytes,
 * ordered by (event time, partition, offset). NULL is ignored.
 *
 * @param <I> what an event gives: the value, n of LAST_N alone, time, partition, offset
 */
abstract class ItemsAggregator<I> extends Aggregator<I, ItemsBuffer, byte[]> {
  private static final long serialVersionUID = 1L;

  /** Adds a value, which is not null, in the form of its carrier. */
  @FunctionalInterface
  interface Adder<V> extends Serializable {
    void add(FeatureAccumulator items, V value, long timeMs, int partition, long offset);
  }

  /** Adds what is carried as BIGINT. */
  static final Adder<Long> INT = FeatureAccumulator::addInt;

  /** Adds a DOUBLE; negative zero becomes zero. */
  static final Adder<Double> REAL =
      (items, value, timeMs, partition, offset) ->
          items.addReal(value + 0.0, timeMs, partition, offset);

  /** Adds a STRING, which comes as its bytes. */
  static final Adder<byte[]> TEXT = FeatureAccumulator::addText;

  private final FeatureMode mode;

  private ItemsAggregator(FeatureMode mode) {
    this.mode = mode;
  }

  @Override
  public ItemsBuffer zero() {
    return new ItemsBuffer();
  }

  @Override
  public ItemsBuffer merge(ItemsBuffer buffer, ItemsBuffer other) {
    buffer.state(mode).merge(other.state(mode));
    return buffer;
  }

  @Override
  public byte[] finish(ItemsBuffer buffer) {
    return buffer.getBytes();
  }

  @Override
  public Encoder<ItemsBuffer> bufferEncoder() {
    return Encoders.bean(ItemsBuffer.class);
  }

  @Override
  public Encoder<byte[]> outputEncoder() {
    return Encoders.BINARY();
  }

  FeatureAccumulator items(ItemsBuffer buffer, int n) {
    return buffer.state(mode).items(n);
  }

  /** FIRST or LAST. */
  static final class One<V> extends ItemsAggregator<Tuple4<V, Long, Integer, Long>> {
    private static final long serialVersionUID = 1L;

    private final Adder<V> adder;

    One(FeatureMode mode, Adder<V> adder) {
      super(mode);
      this.adder = adder;
    }

    @Override
    public ItemsBuffer reduce(ItemsBuffer buffer, Tuple4<V, Long, Integer, Long> in) {
      if (in._1() != null) {
        adder.add(items(buffer, 1), in._1(), in._2(), in._3(), in._4());
      }
      return buffer;
    }
  }

  /** LAST_N. */
  static final class Many<V> extends ItemsAggregator<Tuple5<V, Integer, Long, Integer, Long>> {
    private static final long serialVersionUID = 1L;

    private final Adder<V> adder;

    Many(Adder<V> adder) {
      super(FeatureMode.LAST_N);
      this.adder = adder;
    }

    @Override
    public ItemsBuffer reduce(ItemsBuffer buffer, Tuple5<V, Integer, Long, Integer, Long> in) {
      if (in._1() != null) {
        adder.add(items(buffer, in._2()), in._1(), in._3(), in._4(), in._5());
      }
      return buffer;
    }
  }
}
