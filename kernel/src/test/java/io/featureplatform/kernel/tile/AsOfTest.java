package io.featureplatform.kernel.tile;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.row.FeatureValues;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class AsOfTest {
  private static final long MINUTE_MS = 60_000;
  private static final long NOON_MS = 1_772_366_400_000L;
  private static final int SUM = 1;
  private static final int MIN = 2;
  private static final int MAX = 3;
  private static final int LAST = 4;
  private static final Layout LAYOUT =
      Layouts.of(
          new int[] {1, 1, 1},
          Layouts.counter(0, Kind.COUNT, 0, 1, 2),
          Layouts.counter(1, Kind.SUM, 0, 1, 2),
          Layouts.counter(2, Kind.MIN, 0, 1, 2),
          Layouts.counter(3, Kind.MAX, 0, 1, 2),
          Layouts.column(4, Kind.LAST, 0, List.of(), true));
  private static final List<Integer> COUNTERS = List.of(0, SUM, MIN, MAX);
  private static final AsOfPlan FIVE_MINUTES =
      new AsOfPlan(
          LAYOUT,
          List.of(new AsOfPlan.Window(5 * MINUTE_MS, MINUTE_MS, 5 * MINUTE_MS, COUNTERS)),
          List.of(SUM, MIN, LAST));

  /** An event of the tests, or a question, in the order in which they come. */
  private record Event(long atMs, long timeMs, Command values) {}

  private static Event event(long atMs, long timeMs, Long value) {
    byte[] last =
        value == null
            ? null
            : FeatureValues.ofText(text(value).getBytes(StandardCharsets.UTF_8), timeMs, 0, value);
    List<Object> values = Arrays.asList(1L, value, value, value, last);
    return new Event(atMs, timeMs, new Command(true, 0, Collections.unmodifiableList(values)));
  }

  private static String text(long value) {
    return "v" + value;
  }

  private static Object[] ask(AsOf state, AsOfPlan plan, long instantMs) {
    AsOfAnswer answer = new AsOfAnswer(plan);
    state.ask(instantMs, answer);
    List<Column> slots = plan.slots();
    ByteBuffer counters = ByteBuffer.wrap(answer.counters()).order(ByteOrder.LITTLE_ENDIAN);
    Object[] found = new Object[slots.size()];
    for (int i = 0; i < found.length; i++) {
      found[i] = slots.get(i).kind().isCounter() ? (Object) counters.getLong() : answer.item(i);
    }
    for (int i = 0; i < found.length; i++) {
      Kind kind = slots.get(i).kind();
      if (kind.isCounter() && !kind.isAdditive() && counters.get() == 0) {
        found[i] = null;
      }
    }
    assertFalse(counters.hasRemaining());
    return found;
  }

  private static void add(AsOf state, Event event) {
    state.add(event.atMs(), event.timeMs(), event.values());
  }

  /** Of nothing, sums are 0 and there is no minimum. */
  @Example
  void nothingIsKnownAtFirst() {
    AsOf state = new AsOf(FIVE_MINUTES);
    Object[] nothing = {0L, 0L, null, null, 0L, null, null};
    assertArrayEquals(nothing, ask(state, FIVE_MINUTES, NOON_MS));
    assertFalse(state.isKnown());
    add(state, event(NOON_MS, NOON_MS, null));
    assertTrue(state.isKnown());
    Object[] one = {1L, 0L, null, null, 0L, null, null};
    assertArrayEquals(one, ask(state, FIVE_MINUTES, NOON_MS));
  }

  /** The tail is floored to its tile, whose events all leave at once; the front tile is open. */
  @Example
  void aWindowEndsAtTheEdgesOfTiles() {
    AsOf state = new AsOf(FIVE_MINUTES);
    add(state, event(NOON_MS, NOON_MS - 1, 1L));
    add(state, event(NOON_MS, NOON_MS, 2L));
    add(state, event(NOON_MS, NOON_MS + 5 * MINUTE_MS - 1, 4L));
    add(state, event(NOON_MS, NOON_MS + 5 * MINUTE_MS, 8L));
    assertEquals(7L, ask(state, FIVE_MINUTES, NOON_MS + MINUTE_MS - 1)[SUM]);
    assertEquals(7L, ask(state, FIVE_MINUTES, NOON_MS + 5 * MINUTE_MS - MINUTE_MS - 1)[SUM]);
    Object[] turned = ask(state, FIVE_MINUTES, NOON_MS + 5 * MINUTE_MS);
    assertEquals(14L, turned[SUM]);
    assertEquals(2L, turned[MIN]);
    Object[] later = ask(state, FIVE_MINUTES, NOON_MS + 6 * MINUTE_MS);
    assertEquals(12L, later[SUM]);
    assertEquals(8L, later[MAX]);
    Object[] empty = ask(state, FIVE_MINUTES, NOON_MS + 60 * MINUTE_MS);
    assertEquals(0L, empty[SUM]);
    assertNull(empty[MIN]);
    assertEquals(15L, empty[COUNTERS.size()]);
  }

  /** More tiles than are kept without a look, some of which questions never saw, and late ones. */
  @Example
  void tilesThatNoWindowReachesAreDropped() {
    AsOf state = new AsOf(FIVE_MINUTES);
    int minutes = 20_000;
    for (long i = 0; i < minutes; i++) {
      add(state, event(NOON_MS + i * MINUTE_MS, NOON_MS + i * MINUTE_MS, i));
      if (i % 3 == 0) {
        long lateMs = NOON_MS + i * MINUTE_MS;
        add(state, event(lateMs, lateMs - 3 * MINUTE_MS, 0L));
        add(state, event(lateMs, lateMs - 3_000 * MINUTE_MS, 1L));
      }
    }
    long last = minutes - 1;
    Object[] found = ask(state, FIVE_MINUTES, NOON_MS + last * MINUTE_MS);
    long sum = 0;
    for (long i = last - 5; i <= last; i++) {
      sum += i;
    }
    assertEquals(sum, found[SUM]);
    assertEquals(0L, found[MIN]);
    assertEquals(last, found[MAX]);
  }

  /** Sums wrap as int64 does, and are right when what made them wrap has left. */
  @Example
  void sumsWrapAndComeBack() {
    AsOf state = new AsOf(FIVE_MINUTES);
    add(state, event(NOON_MS, NOON_MS, Long.MAX_VALUE));
    add(state, event(NOON_MS, NOON_MS + MINUTE_MS, 2L));
    assertEquals(Long.MIN_VALUE + 1, ask(state, FIVE_MINUTES, NOON_MS + MINUTE_MS)[SUM]);
    assertEquals(2L, ask(state, FIVE_MINUTES, NOON_MS + 6 * MINUTE_MS)[SUM]);
  }

  /** An instant before the last one: what has left comes back, and what was too new is out. */
  @Example
  void aWindowMovesBack() {
    AsOf state = new AsOf(FIVE_MINUTES, 10 * MINUTE_MS);
    add(state, event(NOON_MS, NOON_MS, 1L));
    add(state, event(NOON_MS, NOON_MS + 9 * MINUTE_MS, 2L));
    assertEquals(2L, ask(state, FIVE_MINUTES, NOON_MS + 10 * MINUTE_MS)[SUM]);
    Object[] back = ask(state, FIVE_MINUTES, NOON_MS);
    assertEquals(1L, back[SUM]);
    assertEquals(1L, back[MAX]);
    add(state, event(NOON_MS, NOON_MS + MINUTE_MS, 4L));
    assertEquals(5L, ask(state, FIVE_MINUTES, NOON_MS + MINUTE_MS)[SUM]);
    assertEquals(2L, ask(state, FIVE_MINUTES, NOON_MS + 10 * MINUTE_MS)[MAX]);
  }

  /** Any windows, events of any age in any order, any questions: as by filtering all events. */
  @Property(tries = 300)
  void everyAnswerIsThatOfFiltering(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 120) int n) {
    Random random = new Random(seed);
    AsOfPlan plan = plan(random);
    int backMs = random.nextBoolean() ? 0 : 1 + random.nextInt(40 * (int) MINUTE_MS);
    AsOf state = new AsOf(plan, backMs);
    List<Event> before = new ArrayList<>();
    long nowMs = NOON_MS;
    for (int i = 0; i < n; i++) {
      nowMs += random.nextInt(4) == 0 ? random.nextInt(40) * MINUTE_MS : random.nextInt(90_000);
      if (random.nextInt(3) > 0) {
        long ageMs = random.nextInt(random.nextInt(3) == 0 ? 4_000_000 : 100_000) - 30_000L;
        Long value = random.nextInt(6) == 0 ? null : (Long) (long) (random.nextInt(9) - 4);
        Event event = event(nowMs, nowMs - ageMs, value);
        before.add(event);
        add(state, event);
      } else {
        long instantMs = backMs == 0 ? nowMs : nowMs - random.nextInt(backMs);
        assertArrayEquals(filtered(plan, before, instantMs), ask(state, plan, instantMs));
      }
    }
  }

  private static AsOfPlan plan(Random random) {
    List<AsOfPlan.Window> windows = new ArrayList<>();
    for (int i = 0; i < random.nextInt(4); i++) {
      long lengthMs = (1 + random.nextInt(90)) * MINUTE_MS;
      long tailMs = Layouts.LENGTHS_MS[random.nextInt(3)];
      long frontMs = Layouts.LENGTHS_MS[random.nextInt(3)];
      List<Integer> columns = COUNTERS.stream().filter(column -> random.nextBoolean()).toList();
      windows.add(new AsOfPlan.Window(lengthMs, tailMs, frontMs, columns));
    }
    return new AsOfPlan(
        LAYOUT, windows, random.nextBoolean() ? List.of(0, SUM, MIN, MAX, LAST) : List.of());
  }

  private static Object[] filtered(AsOfPlan plan, List<Event> before, long instantMs) {
    List<Object> answer = new ArrayList<>();
    for (AsOfPlan.Window window : plan.windows()) {
      long lo = Math.floorDiv(instantMs - window.lengthMs(), window.tailMs()) * window.tailMs();
      long hi = (Math.floorDiv(instantMs, window.frontMs()) + 1) * window.frontMs();
      List<Event> inside =
          before.stream().filter(each -> lo <= each.timeMs() && each.timeMs() < hi).toList();
      window.columns().forEach(column -> answer.add(counted(column, inside)));
    }
    for (int column : plan.lifetime()) {
      answer.add(column == LAST ? newest(before) : counted(column, before));
    }
    return answer.toArray();
  }

  private static Long counted(int column, List<Event> inside) {
    var values =
        inside.stream()
            .filter(each -> !each.values().isNull(column))
            .mapToLong(each -> each.values().int64(column));
    return switch (column) {
      case MIN -> values.boxed().min(Long::compare).orElse(null);
      case MAX -> values.boxed().max(Long::compare).orElse(null);
      default -> values.sum();
    };
  }

  private static byte[] newest(List<Event> before) {
    byte[] newest = null;
    for (Event each : before) {
      if (!each.values().isNull(LAST)) {
        byte[] value = each.values().bytes(LAST);
        newest = FeatureValues.merge(newest, value, Kind.LAST.mode(), 0);
      }
    }
    return newest;
  }
}
