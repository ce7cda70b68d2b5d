package io.featureplatform.kernel.store.cql;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.featureplatform.kernel.store.RowWrite;
import io.featureplatform.kernel.tile.TileKey;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchesTest {
  /** Batches are of bounded size; the head, which takes tiles over from them, comes last. */
  @Test
  void largeWritesAreSplit() {
    RowWrite head = RowWrite.head(new byte[7]);
    RowWrite first = RowWrite.closed(new TileKey(0, 0), new byte[6], 9, 0);
    RowWrite second = RowWrite.closed(new TileKey(0, 60_000), new byte[4], 9, 0);
    RowWrite third = RowWrite.closed(new TileKey(1, 0), new byte[30], 9, 0);
    assertEquals(
        List.of(List.of(first, second), List.of(third), List.of(head)),
        Batches.of(List.of(head, first, second, third), 10));
    assertEquals(List.of(List.of(head, first)), Batches.of(List.of(head, first), 13));
    assertEquals(List.of(List.of(third)), Batches.of(List.of(third), 10));
    assertEquals(
        List.of(List.of(second, first), List.of(third)),
        Batches.of(List.of(second, first, third), 10));
  }
}
