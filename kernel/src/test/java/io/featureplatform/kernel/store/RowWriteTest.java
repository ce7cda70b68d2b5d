package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.tile.TileKey;
import org.junit.jupiter.api.Test;

class RowWriteTest {
  private static final TileKey CLOSED = new TileKey(0, 60_000);

  /** A tile past its time is not written at all, and what has no TTL is never an undo row. */
  @Test
  void ttlsAreChecked() {
    assertEquals(RowWrite.TTL_NONE, RowWrite.head(new byte[0]).ttlSeconds());
    assertThrows(IllegalArgumentException.class, () -> RowWrite.closed(CLOSED, new byte[0], 0, 0));
    assertThrows(IllegalArgumentException.class, () -> RowWrite.closed(CLOSED, new byte[0], -5, 0));
    TileKey undo = new TileKey(UndoKey.LEVEL, 1);
    assertThrows(IllegalArgumentException.class, () -> new RowWrite(undo, new byte[0], 0));
  }

  /** What the store cannot expire as late as it must stays: it is never refused, nor cut short. */
  @Test
  void rowsThatOutliveTheStoresTimeStay() {
    long nowMs = 1_790_000_000_000L;
    long last = RowWrite.LAST_EXPIRY_S - nowMs / 1000;
    assertEquals((int) last, RowWrite.closed(CLOSED, new byte[0], last, nowMs).ttlSeconds());
    assertEquals(0, RowWrite.closed(CLOSED, new byte[0], last + 1, nowMs).ttlSeconds());
    long longest = Long.MAX_VALUE / 1000;
    assertEquals(0, RowWrite.closed(CLOSED, new byte[0], longest, nowMs).ttlSeconds());
  }
}
