package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.MemoryTileStore;
import io.featureplatform.kernel.store.Ports;

/** What is outside a job under test, and outlives it. */
final class World {
  static final long START_MS = 1_700_000_040_000L;

  /** Operators are serialized before they open their ports, so they find them here. */
  private static World current;

  final ManualClock clock = new ManualClock(START_MS);
  final MemoryTileStore store = new MemoryTileStore(clock);
  final MemoryRegistry registry = new MemoryRegistry(Specs.DEPLOYMENT);

  World() {
    current = this;
  }

  static Ports ports(JobSpec spec) {
    return new Ports(current.store, current.registry, current.clock, () -> {});
  }
}
