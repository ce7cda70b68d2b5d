package io.featureplatform.kernel.flink.sql;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.featureplatform.kernel.flink.ItemsSerializer;
import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.FeatureValues;
import io.featureplatform.kernel.row.ItemsState;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;

class ItemsFunctionTest {
  private static final ItemsSerializer SERIALIZER = new ItemsSerializer();

  /** Parts aggregated apart, moved as bytes and merged give what one part gives. */
  @Property(tries = 200)
  void partsGiveTheWhole(@ForAll List<Long> values, @ForAll long seed) throws IOException {
    ItemsFunction.ManyInt lastN = new ItemsFunction.ManyInt();
    ItemsState whole = lastN.createAccumulator();
    ItemsState[] parts = {lastN.createAccumulator(), lastN.createAccumulator()};
    Random chance = new Random(seed);
    for (int i = 0; i < values.size(); i++) {
      long timeMs = chance.nextInt(20);
      lastN.accumulate(whole, values.get(i), 3, timeMs, 0, (long) i);
      ItemsState part = parts[chance.nextInt(2)];
      lastN.accumulate(part, values.get(i), 3, timeMs, 0, (long) i);
    }
    ItemsState merged = lastN.createAccumulator();
    lastN.merge(merged, List.of(moved(parts[0]), parts[1]));
    assertArrayEquals(lastN.getValue(whole), lastN.getValue(merged));
  }

  /** A copy is not changed by what is added to the original. */
  @Test
  void copiesAreIndependent() {
    ItemsFunction.OneText last = new ItemsFunction.OneText(FeatureMode.LAST);
    ItemsState state = last.createAccumulator();
    last.accumulate(state, StringData.fromString("en"), 1L, 0, 0L);
    ItemsState copy = SERIALIZER.copy(state);
    last.accumulate(state, StringData.fromString("hi"), 2L, 0, 1L);
    assertNotSame(state, copy);
    assertArrayEquals(
        FeatureValues.ofText("en".getBytes(java.nio.charset.StandardCharsets.UTF_8), 1, 0, 0),
        last.getValue(copy));
    assertArrayEquals(
        FeatureValues.ofText("hi".getBytes(java.nio.charset.StandardCharsets.UTF_8), 2, 0, 1),
        last.getValue(state));
  }

  /** FIRST keeps the earliest by event time, not by arrival; NULL is ignored. */
  @Test
  void firstIsByEventTime() {
    ItemsFunction.OneReal first = new ItemsFunction.OneReal(FeatureMode.FIRST);
    ItemsState state = first.createAccumulator();
    first.accumulate(state, 2.5, 20L, 0, 0L);
    first.accumulate(state, null, 5L, 0, 1L);
    first.accumulate(state, -0.0, 10L, 1, 0L);
    assertArrayEquals(FeatureValues.ofReal(0.0, 10, 1, 0), first.getValue(state));
  }

  /** Nothing added is NULL, also after having been moved. */
  @Test
  void nothingIsNull() throws IOException {
    ItemsFunction.OneInt last = new ItemsFunction.OneInt(FeatureMode.LAST);
    assertNull(last.getValue(moved(last.createAccumulator())));
  }

  private static ItemsState moved(ItemsState state) throws IOException {
    DataOutputSerializer out = new DataOutputSerializer(64);
    SERIALIZER.serialize(state, out);
    return SERIALIZER.deserialize(new DataInputDeserializer(out.getCopyOfBuffer()));
  }
}
