package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.featureplatform.kernel.tile.TileKey;
import org.junit.jupiter.api.Test;

class RowWriteTest {
  private static final TileKey CLOSED = new TileKey(0, 60_000);

  /** Only a head may be kept for ever. */
  @Test
  void closedTilesNeedATtl() {
    assertEquals(RowWrite.TTL_NONE, RowWrite.head(new byte[0]).ttlSeconds());
    assertThrows(IllegalArgumentException.class, () -> RowWrite.closed(CLOSED, new byte[0], 0));
    assertThrows(IllegalArgumentException.class, () -> RowWrite.closed(CLOSED, new byte[0], -5));
  }

  /** A TTL longer than CQL takes is cut to the longest it does. */
  @Test
  void ttlIsCut() {
    RowWrite write = RowWrite.closed(CLOSED, new byte[0], Long.MAX_VALUE / 1000);
    assertEquals(RowWrite.TTL_SECONDS_MAX, write.ttlSeconds());
  }
}
