package io.featureplatform.kernel.store;

class MemoryTileStoreTest extends TileStoreContract {
  private final ManualClock clock = new ManualClock(1_000_000);
  private final MemoryTileStore store = new MemoryTileStore(clock);

  @Override
  protected TileStore store() {
    return store;
  }

  @Override
  protected void pass(long ms) {
    clock.advance(ms);
  }
}
