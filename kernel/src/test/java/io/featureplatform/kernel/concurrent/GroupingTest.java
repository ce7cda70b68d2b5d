package io.featureplatform.kernel.concurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class GroupingTest {
  private static final int BYTES_MAX = 100;
  private static final int ITEMS_MAX = 3;
  private static final long NEVER_MS = 3_600_000;

  private record Item(int place, int bytes, int number) {}

  /** Each item is handed on once, in its place's order, in groups that keep the limits. */
  @Property
  void everyItemIsHandedOnOnce(
      @ForAll @Size(max = 60) List<@IntRange(max = 2) Integer> places,
      @ForAll @Size(value = 60) List<@IntRange(max = 130) Integer> sizes) {
    List<List<Item>> groups = new ArrayList<>();
    List<Item> items =
        IntStream.range(0, places.size())
            .mapToObj(i -> new Item(places.get(i), sizes.get(i), i))
            .toList();
    try (Grouping<Item> grouping = new Grouping<>(ITEMS_MAX, BYTES_MAX, NEVER_MS, groups::add)) {
      items.forEach(item -> grouping.add(item.place, item, item.bytes));
    }
    for (int place = 0; place <= 2; place++) {
      int wanted = place;
      assertEquals(
          items.stream().filter(item -> item.place == wanted).toList(),
          groups.stream().flatMap(List::stream).filter(item -> item.place == wanted).toList());
    }
    for (List<Item> group : groups) {
      assertTrue(group.size() <= ITEMS_MAX);
      assertEquals(1, group.stream().map(Item::place).distinct().count());
      assertTrue(group.size() == 1 || group.stream().mapToInt(Item::bytes).sum() <= BYTES_MAX);
    }
  }

  /** A full group does not wait, and takes none of another place with it. */
  @Test
  void fullGroupIsHandedOnAtOnce() {
    List<List<Integer>> groups = new ArrayList<>();
    try (Grouping<Integer> grouping = new Grouping<>(2, BYTES_MAX, NEVER_MS, groups::add)) {
      grouping.add("a", 1, 10);
      grouping.add("b", 2, 10);
      grouping.add("a", 3, 10);
      assertEquals(List.of(List.of(1, 3)), groups);
      grouping.add("a", 4, BYTES_MAX);
      assertEquals(List.of(List.of(1, 3), List.of(4)), groups);
    }
    assertEquals(List.of(List.of(1, 3), List.of(4), List.of(2)), groups);
  }

  /** What is alone is handed on after a moment, and again the next time. */
  @Test
  @Timeout(20)
  void nothingWaitsForEver() throws InterruptedException {
    BlockingQueue<List<Integer>> groups = new LinkedBlockingQueue<>();
    try (Grouping<Integer> grouping = new Grouping<>(2, BYTES_MAX, 1, groups::add)) {
      for (int i = 0; i < 3; i++) {
        grouping.add("a", i, 1);
        assertEquals(List.of(i), groups.poll(10, TimeUnit.SECONDS));
      }
    }
  }
}
