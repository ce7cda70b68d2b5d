package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.lineage.ReadBack;
import io.featureplatform.kernel.store.TileStore;

/**
 * How a subtask reaches the store: it reads rows as they are for its attempt, writes them, and has
 * a bounded number of requests of either kind under way.
 */
record StoreAccess(TileStore store, ReadBack readBack, InFlight reads, InFlight writes) {}
