package io.featureplatform.kernel.tile;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.row.Carrier;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayoutTest {
  private static final String JSON =
      """
      {"levels_ms": [60000, 300000], "depth": [3, 1], "retention_ms": [7200000, 0], "columns": [
        {"id": 0, "name": "_events", "kind": "count", "carrier": "int", "n": 0,
         "levels": [0, 1], "lifetime": true},
        {"id": 4, "name": "recent", "kind": "last_n", "carrier": "text", "n": 100,
         "levels": [], "lifetime": true}]}
      """;

  /** The job spec's layout is read as it is written. */
  @Test
  void readsTheJobSpec() {
    Layout layout = Layout.fromJson(JSON);
    assertEquals(
        new Column(1, 4, "recent", Kind.LAST_N, Carrier.TEXT, 100, List.of(), true),
        layout.columns().get(1));
    assertEquals(2, layout.lifetimeLevel());
    assertArrayEquals(new int[] {0, 1}, layout.usedLevels());
    assertEquals(3, layout.grid().depth(0));
  }

  /** A row's TTL counts from the end of its tile, in whole seconds rounded up. */
  @Test
  void ttlCountsFromTheEndOfTheTile() {
    Layout layout = Layout.fromJson(JSON);
    TileKey tile = new TileKey(0, 600_000);
    assertEquals(7_200, layout.ttlSeconds(tile, 660_000));
    assertEquals(7_200, layout.ttlSeconds(tile, 660_999));
    assertEquals(7_199, layout.ttlSeconds(tile, 661_000));
    assertEquals(0, layout.ttlSeconds(tile, 660_000 + 7_200_000));
    assertEquals(-1, layout.ttlSeconds(tile, 661_000 + 7_200_000));
  }

  /** A slot is counted back from the newest tile's. */
  @Test
  void headOldestCountsBackFromTheNewest() {
    Grid grid = Layout.fromJson(JSON).grid();
    assertEquals(480_000, grid.headOldestMs(600_000, 0));
    assertEquals(600_000, grid.headOldestMs(720_000, 1));
    assertEquals(-60_000, grid.floor(-1, 0));
  }

  /** What is no layout is refused. */
  @Test
  void refusesWhatIsNoLayout() {
    assertThrows(IllegalArgumentException.class, () -> Layout.fromJson("{"));
    assertThrows(IllegalArgumentException.class, () -> Layout.fromJson("{}"));
    String notAMultiple = JSON.replace("300000", "90000");
    assertThrows(IllegalArgumentException.class, () -> Layout.fromJson(notAMultiple));
    String noDepth = JSON.replace("[3, 1]", "[3, 0]");
    assertThrows(IllegalArgumentException.class, () -> Layout.fromJson(noDepth));
  }
}
