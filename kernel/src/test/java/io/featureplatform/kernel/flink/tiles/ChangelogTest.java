package io.featureplatform.kernel.flink.tiles;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.flink.Specs;
import io.featureplatform.kernel.flink.World;
import io.featureplatform.kernel.flink.tiles.LoggedCommands.Logged;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.StoredRow;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.store.Watch;
import io.featureplatform.kernel.store.WriteTime;
import io.featureplatform.kernel.tile.Layout;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is logged, when that changes, and how a loss shows. */
class ChangelogTest {
  private static final long TILE_MS = World.START_MS;
  private static final Layout LAYOUT = Layout.fromJson(Specs.LAYOUT);

  private final World world = new World();

  private static Watch watched(int version, String... entities) {
    return new Watch(version, Watch.Mode.WATCHED, 0, Set.of(entities));
  }

  private List<Logged> rows(int kind) {
    return world.logged.rows(LAYOUT).stream().filter(row -> row.kind() == kind).toList();
  }

  private List<String> entities(int kind) {
    return rows(kind).stream().map(Logged::entity).toList();
  }

  private StoredRow head(String entity) throws Exception {
    return world
        .store
        .read(entity, TileStore.HEAD_ALONE)
        .toCompletableFuture()
        .get()
        .get(TileStore.HEAD);
  }

  @Test
  void nothingIsLoggedUnlessAskedFor() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      run.insert("a", TILE_MS, 5);
      run.checkpoint(1);
    }
    assertEquals(List.of(), world.logged.rows(LAYOUT));
  }

  /** A command has what the row's write time has: attempt and flush. */
  @Test
  void commandsCarryTheFlushThatWroteThem() throws Exception {
    world.registry.setWatch(LoggedCommands.ALL);
    int attempt;
    try (KernelRun run = KernelRun.fresh(world)) {
      attempt = run.attempt();
      run.insert("a", TILE_MS, 5);
      run.pass(Specs.FLUSH_MS);
      run.command(RowKind.UPDATE_BEFORE, "a", TILE_MS, 1, 5L);
      run.command(RowKind.UPDATE_AFTER, "a", TILE_MS, 2, null);
      run.checkpoint(1);
    }
    List<Logged> all = world.logged.rows(LAYOUT);
    assertEquals(
        List.of(ChangeBlock.WATCHED, 0, 1, 2, ChangeBlock.BARRIER),
        all.stream().map(Logged::kind).toList());
    assertEquals(List.of(0L, 1L, 2L, 3L, 4L), all.stream().map(Logged::seq).toList());
    assertEquals(1_000_000_000L, all.get(0).tileMs());
    for (Logged row : all) {
      assertEquals(new Epoch(attempt, 1), row.epoch());
    }
    Logged last = all.get(3);
    assertEquals("a", last.entity());
    assertEquals(TILE_MS, last.tileMs());
    assertEquals(2L, last.int64(0));
    assertTrue(last.isNull(1));
    assertEquals(WriteTime.flush(head("a").writeTime()), last.flush());
    assertEquals(last.flush() - 1, all.get(1).flush());
  }

  /** Half an update waits for the other half, with the row. */
  @Test
  void halfAnUpdateIsOfTheFlushThatTakesIt() throws Exception {
    world.registry.setWatch(LoggedCommands.ALL);
    try (KernelRun run = KernelRun.fresh(world)) {
      run.insert("a", TILE_MS, 5);
      run.command(RowKind.UPDATE_BEFORE, "a", TILE_MS, 1, 5L);
      run.insert("b", TILE_MS, 5);
      run.pass(Specs.FLUSH_MS);
      assertEquals(List.of("b"), entities(0));
      run.command(RowKind.UPDATE_AFTER, "a", TILE_MS, 2, 9L);
      run.pass(Specs.FLUSH_MS);
    }
    assertEquals(List.of("b", "a"), entities(0));
    assertEquals(rows(0).get(1).flush(), rows(2).get(0).flush());
  }

  /** What is watched changes at a barrier, so that an epoch is logged whole or not at all. */
  @Test
  void watchesChangeAtBarriers() throws Exception {
    try (KernelRun run = KernelRun.fresh(world)) {
      world.registry.setWatch(watched(1, "a"));
      run.insert("a", TILE_MS, 1);
      run.pass(2 * Changelog.LOOK_MS);
      run.insert("a", TILE_MS, 2);
      run.checkpoint(1);
      assertEquals(List.of(), entities(0));
      assertEquals(List.of("a"), entities(ChangeBlock.WATCHED));
      run.insert("a", TILE_MS, 3);
      run.insert("b", TILE_MS, 3);
      world.registry.setWatch(watched(2, "b"));
      run.pass(2 * Changelog.LOOK_MS);
      run.checkpoint(2);
      run.insert("a", TILE_MS, 4);
      run.insert("b", TILE_MS, 4);
      world.registry.setWatch(new Watch(3, Watch.Mode.OFF, 0, Set.of()));
      run.pass(2 * Changelog.LOOK_MS);
      run.checkpoint(3);
      run.insert("b", TILE_MS, 5);
      run.checkpoint(4);
    }
    assertEquals(List.of("a", "b"), entities(0));
    assertEquals(List.of("a", "b"), entities(ChangeBlock.WATCHED));
    assertEquals(List.of("a", "b"), entities(ChangeBlock.NOT_WATCHED));
    assertEquals(List.of(2L, 3L), rows(0).stream().map(row -> row.epoch().checkpointId()).toList());
    assertEquals(2, rows(ChangeBlock.BARRIER).size());
  }

  /** The registry is down for a while: what is watched stays. */
  @Test
  void aRegistryThatIsDownChangesNothing() throws Exception {
    world.registry.setWatch(watched(1, "a"));
    try (KernelRun run = KernelRun.fresh(world)) {
      world.registry.setDown(true);
      run.pass(2 * Changelog.LOOK_MS);
      run.checkpoint(1);
      world.registry.setDown(false);
      run.insert("a", TILE_MS, 1);
      run.checkpoint(2);
    }
    assertEquals(List.of("a"), entities(0));
  }

  /** A block that does not arrive stops nothing, and its numbers are missing. */
  @Test
  void whatIsLostLeavesAGap() throws Exception {
    world.registry.setWatch(LoggedCommands.ALL);
    try (KernelRun run = KernelRun.fresh(world)) {
      run.insert("a", TILE_MS, 1);
      run.pass(Specs.FLUSH_MS);
      world.logged.setDown(true);
      run.insert("a", TILE_MS, 2);
      run.pass(Specs.FLUSH_MS);
      world.logged.setDown(false);
      run.insert("a", TILE_MS, 3);
      run.pass(Specs.FLUSH_MS);
    }
    assertEquals(List.of(1L, 3L), rows(0).stream().map(Logged::seq).toList());
    assertEquals(1, world.logged.sender().lost());
    assertEquals(3, WriteTime.flush(head("a").writeTime()));
  }

  /** A share is the same entities everywhere: those of the smallest CRC-32. */
  @Test
  void aSampleIsByTheHashOfTheKey() {
    Watch tenth = new Watch(1, Watch.Mode.SAMPLED, 0.1, Set.of("named"));
    long wanted = IntStream.range(0, 100_000).filter(i -> tenth.wants("entity " + i)).count();
    assertEquals(10_000, wanted, 500);
    assertTrue(tenth.wants("named"));
  }

  /** As Python's {@code zlib.crc32(entity.encode()) / 2**32} has it. */
  @ParameterizedTest
  @CsvSource({"entity 1,0.34799745", "entity 2,0.75047384", "Zürich,0.82439668"})
  void theHashIsThatOfPython(String entity, double place) {
    assertFalse(new Watch(1, Watch.Mode.SAMPLED, place - 1e-7, Set.of()).wants(entity));
    assertTrue(new Watch(1, Watch.Mode.SAMPLED, place + 1e-7, Set.of()).wants(entity));
  }
}
