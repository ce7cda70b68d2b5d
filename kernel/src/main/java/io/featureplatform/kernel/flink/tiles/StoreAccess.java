package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.store.TileStore;

/**
 * How a subtask reaches the store: it reads rows as they are for its attempt, writes them, and has
 * so many requests of either kind under way at most.
 */
record StoreAccess(TileStore store, ReadBack readBack, InFlight reads, InFlight writes) {}
