package io.featureplatform.kernel.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.row.FeatureValues;
import io.featureplatform.kernel.tile.Layout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;

class EntityRowsTest {
  private static final long MINUTE_MS = 60_000;

  /** One, five and thirty minutes; 3, 1 and 1 of them in the head. */
  static final String LAYOUT =
      """
      {"levels_ms": [60000, 300000, 1800000], "depth": [3, 1, 1],
       "retention_ms": [3600000, 7200000, 86400000],
       "columns": [
        {"id": 0, "name": "_events", "kind": "count", "carrier": "int", "n": 0,
         "levels": [0, 1, 2], "lifetime": true},
        {"id": 1, "name": "watch_ms", "kind": "sum", "carrier": "int", "n": 0,
         "levels": [0, 2], "lifetime": true},
        {"id": 3, "name": "longest", "kind": "max", "carrier": "int", "n": 0,
         "levels": [1], "lifetime": false},
        {"id": 2, "name": "language", "kind": "last_n", "carrier": "text", "n": 2,
         "levels": [2], "lifetime": true}]}""";

  private static final PartialOrder ORDER = new PartialOrder(Layout.fromJson(LAYOUT));

  /** Minutes up to the year 9999 take so many bits of an order's number. */
  private static final int TILE_BITS = 32;

  /** However few tiles are rolled up at a time, the rows are those of all at once. */
  @Property(tries = 300)
  void chunksGiveTheWhole(@ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int tilesMax) {
    List<InternalRow> partials = partials(new Random(seed));
    assertEquals(byPlace(rows(partials, Integer.MAX_VALUE)), byPlace(rows(partials, tilesMax)));
  }

  /** Rows of an entity stand together, its head last; each place comes once. */
  @Property(tries = 100)
  void entitiesStandTogether(@ForAll long seed) {
    List<InternalRow> rows = rows(partials(new Random(seed)), 2);
    assertEquals(rows.size(), byPlace(rows).size());
    for (int i = 0; i < rows.size(); i++) {
      boolean last = i == rows.size() - 1 || !entity(rows, i).equals(entity(rows, i + 1));
      assertEquals(last, rows.get(i).getInt(1) == -1);
    }
  }

  /** A partition that got no entity has no rows. */
  @Test
  void nothingGivesNothing() {
    assertFalse(
        new EntityRows(Layout.fromJson(LAYOUT), ORDER, List.<InternalRow>of().iterator(), 1)
            .hasNext());
  }

  /** Entities whose hash is the same have the rows that each has alone. */
  @Property(tries = 300)
  void mixedEntitiesAreKeptApart(@ForAll long seed) {
    List<InternalRow> partials = partials(new Random(seed));
    Map<String, String> alone = new TreeMap<>();
    for (UTF8String entity : partials.stream().map(PartialOrder::entity).distinct().toList()) {
      alone.putAll(
          byPlace(
              rows(
                  partials.stream().filter(row -> PartialOrder.entity(row).equals(entity)).toList(),
                  2)));
    }
    assertEquals(alone, byPlace(rows(partials, 2)));
  }

  /** A tile behind its time would change what has left the head. */
  @Test
  void refusesTilesThatDescend() {
    List<InternalRow> partials =
        List.of(partial("e1", 7 * MINUTE_MS, 1), partial("e1", 6 * MINUTE_MS, 1));
    assertThrows(IllegalStateException.class, () -> rows(partials, 9));
  }

  private static List<InternalRow> rows(List<InternalRow> partials, int tilesMax) {
    List<InternalRow> rows = new ArrayList<>();
    new EntityRows(Layout.fromJson(LAYOUT), ORDER, partials.iterator(), tilesMax)
        .forEachRemaining(rows::add);
    return rows;
  }

  private static InternalRow partial(String entity, long tileMs, long events) {
    return partial(entity, tileMs, events, null, null, null);
  }

  /** Every second entity has the same hash. */
  private static InternalRow partial(String entity, long tileMs, Object... partials) {
    Object[] values = new Object[PartialOrder.COLUMNS + 4];
    values[0] = UTF8String.fromString(entity);
    values[1] = tileMs;
    values[2] = (entity.hashCode() % 2L) << TILE_BITS | tileMs / MINUTE_MS;
    System.arraycopy(partials, 0, values, PartialOrder.COLUMNS, partials.length);
    return new GenericInternalRow(values);
  }

  private static UTF8String entity(List<InternalRow> rows, int index) {
    return rows.get(index).getUTF8String(0);
  }

  private static Map<String, String> byPlace(List<InternalRow> rows) {
    Map<String, String> places = new TreeMap<>();
    for (InternalRow row : rows) {
      String place = row.getUTF8String(0) + " " + row.getInt(1) + " " + row.getLong(2);
      places.put(place, HexFormat.of().formatHex(row.getBinary(3)));
    }
    return places;
  }

  /** In order, some tiles in two rows; zeros, sums that cancel, and nulls among the values. */
  private static List<InternalRow> partials(Random random) {
    List<InternalRow> partials = new ArrayList<>();
    for (int entity = 0; entity < random.nextInt(5); entity++) {
      long minute = random.nextInt(100);
      for (int i = 0; i <= random.nextInt(12); i++) {
        minute += random.nextInt(3) == 0 ? random.nextInt(60) : random.nextInt(2);
        long tileMs = minute * MINUTE_MS;
        byte[] word = ("w" + random.nextInt(9)).getBytes(StandardCharsets.UTF_8);
        partials.add(
            partial(
                "e" + entity,
                tileMs,
                1L + random.nextInt(3),
                random.nextInt(4) == 0 ? null : (Long) (random.nextInt(3) - 1L),
                random.nextInt(4) == 0 ? null : (Long) (random.nextInt(9) - 4L),
                random.nextBoolean() ? null : FeatureValues.ofText(word, tileMs + 5, 0, i)));
      }
    }
    partials.sort(Comparator.comparingLong(row -> row.getLong(2)));
    return partials;
  }
}
