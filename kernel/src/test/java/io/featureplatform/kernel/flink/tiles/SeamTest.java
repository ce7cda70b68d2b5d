package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Epoch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** A backfill up to some offset and a job from there: the rows of either alone. */
class SeamTest {
  private static final long MINUTE = 60_000;
  private static final long T0 = World.START_MS;
  private static final int EVENTS_MAX = 8;

  private record Event(String entity, long tileMs, long watchMs) {}

  /** Events of one entity: new tiles, one that leaves the head, late ones on both sides of it. */
  @Test
  void everyOffsetOfAHandfulOfEventsMayBeTheSeam() throws Exception {
    List<Event> events = new ArrayList<>();
    for (int minute : new int[] {0, 1, 1, 4, 2, 9, 0, 3, 9, 20, 5}) {
      events.add(new Event("a", T0 + minute * MINUTE, 10 + minute));
    }
    everySeam(events, new Random(1));
  }

  /** The same of any events of two entities, flushed at any moments. */
  @Property(tries = 60)
  void everyOffsetOfAnyEventsMayBeTheSeam(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    List<Event> events = new ArrayList<>();
    for (int i = 0; i <= random.nextInt(EVENTS_MAX); i++) {
      long tileMs = T0 + (random.nextInt(25) - 5) * MINUTE;
      events.add(new Event(random.nextInt(4) == 0 ? "b" : "a", tileMs, random.nextInt(5) - 2));
    }
    everySeam(events, random);
  }

  private static void everySeam(List<Event> events, Random random) throws Exception {
    for (int seam = 0; seam <= events.size(); seam++) {
      backfillThenStream(events.subList(0, seam), events.subList(seam, events.size()), random);
    }
  }

  private static void backfillThenStream(List<Event> before, List<Event> after, Random random)
      throws Exception {
    World world = new World();
    Recount recount = new Recount();
    before.forEach(event -> recount.insert(event.entity, event.tileMs, event.watchMs));
    recount.write(world, 1);
    world.registry.insert(backfill(world)).toCompletableFuture().join();
    world.cut = new Epoch(1, 1);
    try (KernelRun run = KernelRun.fresh(world)) {
      for (Event event : after) {
        recount.insert(run, event.entity, event.tileMs, event.watchMs);
        if (random.nextBoolean()) {
          run.pass(Specs.FLUSH_MS);
        }
      }
      run.checkpoint(9);
      recount.check(world);
    }
  }

  private static Attempt backfill(World world) {
    return new Attempt(
        1,
        "backfill/x",
        Specs.DEPLOYMENT,
        "backfill",
        Epoch.GENESIS,
        world.ends,
        World.START_MS,
        0,
        World.START_MS,
        true);
  }
}
