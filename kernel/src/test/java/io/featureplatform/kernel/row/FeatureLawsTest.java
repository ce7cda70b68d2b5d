package io.featureplatform.kernel.row;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class FeatureLawsTest {
  /** Items with few distinct keys, so that equal keys and equal times are common. */
  @Provide
  Arbitrary<List<Item>> items() {
    return Arbitraries.of(Carrier.values()).flatMap(carrier -> item(carrier).list().ofMaxSize(40));
  }

  private static Arbitrary<Item> item(Carrier carrier) {
    Arbitrary<Long> times =
        Arbitraries.oneOf(
            Arbitraries.longs().between(0, 5), Arbitraries.longs().between(0, 1L << 42));
    Arbitrary<Integer> partitions = Arbitraries.of(0, 0, 1, 200);
    Arbitrary<Long> offsets = Arbitraries.longs().between(0, 1L << 40);
    return Combinators.combine(times, partitions, offsets)
        .as((time, partition, offset) -> new Item(time, partition, offset, value(carrier, offset)));
  }

  /** A value that its key determines, as it is with real events. */
  private static Object value(Carrier carrier, long offset) {
    long mixed = offset * 0x9E3779B97F4A7C15L;
    return switch (carrier) {
      case INT -> mixed;
      case REAL -> (double) mixed / 3;
      case TEXT -> offset % 5 == 0 ? "" : "täxt " + mixed;
    };
  }

  /** Adding items one by one keeps what sorting them all would keep, in protobuf's own bytes. */
  @Property
  void accumulatorEqualsNaive(
      @ForAll("items") List<Item> items,
      @ForAll FeatureMode mode,
      @ForAll @IntRange(min = 1, max = 12) int n) {
    byte[] expected = NaiveFeature.encode(items, mode, n);
    assertArrayEquals(expected, NaiveFeature.accumulate(items, mode, n).toBytes());
  }

  /** Partials merged in any grouping and order give the bytes of the whole. */
  @Property
  void mergeIsAssociativeAndCommutative(
      @ForAll("items") List<Item> items,
      @ForAll FeatureMode mode,
      @ForAll @IntRange(min = 1, max = 12) int n,
      @ForAll Random random) {
    byte[] expected = NaiveFeature.encode(items, mode, n);
    List<byte[]> partials = new ArrayList<>();
    for (Item item : items) {
      partials.add(NaiveFeature.encode(List.of(item), mode, n));
    }
    partials.add(null);
    while (partials.size() > 1) {
      byte[] left = partials.remove(random.nextInt(partials.size()));
      byte[] right = partials.remove(random.nextInt(partials.size()));
      partials.add(FeatureValues.merge(left, right, mode, n));
    }
    assertArrayEquals(expected, partials.get(0));
  }

  /** Merging what is already there changes nothing. */
  @Property
  void mergeIsIdempotent(
      @ForAll("items") List<Item> items,
      @ForAll FeatureMode mode,
      @ForAll @IntRange(min = 1, max = 12) int n,
      @ForAll @IntRange(min = 0, max = 40) int split) {
    byte[] whole = NaiveFeature.encode(items, mode, n);
    byte[] part = NaiveFeature.encode(items.subList(0, Math.min(split, items.size())), mode, n);
    assertArrayEquals(whole, FeatureValues.merge(whole, part, mode, n));
    assertArrayEquals(whole, FeatureValues.merge(part, whole, mode, n));
  }

  /** Two values under one key give the same bytes in either order. */
  @Property
  void equalKeysDoNotDependOnOrder(
      @ForAll long left, @ForAll long right, @ForAll FeatureMode mode, @ForAll Carrier carrier) {
    List<Item> items =
        List.of(new Item(1, 2, 3, value(carrier, left)), new Item(1, 2, 3, value(carrier, right)));
    byte[] forward = NaiveFeature.accumulate(items, mode, 3).toBytes();
    List<Item> reversed = List.of(items.get(1), items.get(0));
    assertArrayEquals(forward, NaiveFeature.accumulate(reversed, mode, 3).toBytes());
    byte[] a = NaiveFeature.encode(items.subList(0, 1), mode, 3);
    byte[] b = NaiveFeature.encode(items.subList(1, 2), mode, 3);
    assertArrayEquals(forward, FeatureValues.merge(b, a, mode, 3));
  }

  /** An accumulator that is merged, cleared and used again holds what was added since. */
  @Property(tries = 200)
  void clearedAccumulatorStartsAnew(@ForAll("items") List<Item> items, @ForAll FeatureMode mode) {
    FeatureAccumulator accumulator = NaiveFeature.accumulate(items, mode, 5);
    accumulator.clear();
    assertNull(accumulator.toBytes());
    accumulator.merge(NaiveFeature.accumulate(items, mode, 5));
    assertArrayEquals(NaiveFeature.encode(items, mode, 5), accumulator.toBytes());
  }

  /** Damaged bytes are refused as such: no other exception, no endless loop. */
  @Property
  void damagedBytesAreRefused(@ForAll("items") List<Item> items, @ForAll Random random) {
    byte[] bytes = NaiveFeature.encode(items, FeatureMode.LAST_N, 10);
    if (bytes != null) {
      byte[] damaged = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      if (damaged.length > 0) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      try {
        new FeatureAccumulator(FeatureMode.LAST_N, 10).merge(damaged);
      } catch (RowFormatException expected) {
        assertEquals(RowFormatException.class, expected.getClass());
      }
    }
  }

  /** One value is built with the bytes that an accumulator gives. */
  @Test
  void buildersGiveCanonicalBytes() {
    List<Object> values = List.of(-7L, 0.25, "é");
    List<byte[]> built =
        List.of(
            FeatureValues.ofInt(-7, 1_000, 2, 3),
            FeatureValues.ofReal(0.25, 1_000, 2, 3),
            FeatureValues.ofText(
                "é".getBytes(java.nio.charset.StandardCharsets.UTF_8), 1_000, 2, 3));
    for (int i = 0; i < values.size(); i++) {
      List<Item> item = List.of(new Item(1_000, 2, 3, values.get(i)));
      assertArrayEquals(NaiveFeature.encode(item, FeatureMode.LAST, 0), built.get(i));
    }
  }

  /** Values of two carriers cannot be one feature. */
  @Test
  void carriersDoNotMix() {
    byte[] integer = FeatureValues.ofInt(1, 1, 0, 0);
    byte[] real = FeatureValues.ofReal(1, 2, 0, 0);
    assertThrows(
        RowFormatException.class, () -> FeatureValues.merge(integer, real, FeatureMode.LAST_N, 2));
  }
}
