package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.flink.tiles.LoggedCommands;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.ManualClock;
import io.featureplatform.kernel.store.MemoryRegistry;
import io.featureplatform.kernel.store.MemoryTileStore;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.Ports;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What is outside a job under test, and outlives it. */
public final class World {
  public static final long START_MS = 1_700_000_040_000L;

  /** Operators are serialized before they open their ports, so they find them here. */
  private static World current;

  public final ManualClock clock = new ManualClock(START_MS);
  public final MemoryTileStore store = new MemoryTileStore(clock);
  public final MemoryRegistry registry = new MemoryRegistry(Specs.DEPLOYMENT);

  /** Where commands are logged, if the registry asks for any. */
  public final LoggedCommands logged = new LoggedCommands();

  /** Where a start from the store begins: the newest cut of the tests. */
  public Epoch cut = Epoch.GENESIS;

  /** The attempts that wrote the tests' checkpoints, by id. */
  public final Map<Long, Integer> checkpoints = new HashMap<>();

  /** Since when rows may be dirty there. */
  public long dirtySinceMs = START_MS;

  /** What Kafka says when asked where the topic ends. */
  public Offsets ends = new Offsets(Map.of("events/0", 12L));

  public World() {
    current = this;
  }

  /** The spec of a start from the store. */
  public String fromStore() {
    return Specs.json("store", cut, dirtySinceMs, Age.NEVER);
  }

  public List<Attempt> attempts() {
    return registry.attempts().toCompletableFuture().join().claimed();
  }

  public static Offsets ends(JobSpec spec) {
    return current.ends;
  }

  public static LoggedCommands logged() {
    return current.logged;
  }

  public static Ports ports(JobSpec spec) {
    return new Ports(current.store, current.registry, current.clock, () -> {});
  }
}
