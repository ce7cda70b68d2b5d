package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.featureplatform.kernel.concurrent.Retry;
import io.featureplatform.kernel.lineage.Age;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.lineage.Origin;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every registry promises, and what claims make of it. */
@Timeout(60)
public abstract class RegistryContract {
  protected static final String OURS = "deployment-a";
  protected static final String THEIRS = "deployment-b";

  private final ManualClock clock = new ManualClock(5_000);
  private final Retry retry = new Retry(10_000, clock);

  /** Returns the registry of a generation without attempts, owned by {@link #OURS}. */
  protected abstract Registry registry();

  protected abstract void setOwner(String owner);

  /** Writes of which entities commands are logged, as the deployer does. */
  protected abstract void setWatch(Watch watch);

  /** What is to be watched is read when its version has changed, whole. */
  @Test
  void readsWhatIsWatched() throws Exception {
    Set<String> many =
        IntStream.range(0, 2_500).mapToObj(i -> "entity " + i).collect(Collectors.toSet());
    Watch named = new Watch(7, Watch.Mode.WATCHED, 0, many);
    setWatch(named);
    assertEquals(named, registry().watch(Watch.OFF).toCompletableFuture().get());
    Watch sampled = new Watch(8, Watch.Mode.SAMPLED, 0.25, Set.of("one more"));
    setWatch(sampled);
    assertEquals(sampled, registry().watch(named).toCompletableFuture().get());
    assertEquals(sampled, registry().watch(sampled).toCompletableFuture().get());
  }

  @AfterEach
  void closeRetry() {
    retry.close();
  }

  /** Before the first attempt the owner is known and nothing claimed. */
  @Test
  void startsEmpty() throws Exception {
    assertEquals(new Registry.Attempts(OURS, List.of()), attempts());
  }

  /** An attempt comes back as it was inserted. */
  @Test
  void keepsAttempts() throws Exception {
    Attempt first = attempt(1, "run/0", OURS, new Epoch(0, 0));
    Attempt second = attempt(2, "run/1", OURS, new Epoch(1, 42));
    assertTrue(insert(first));
    assertTrue(insert(second));
    assertEquals(List.of(first, second), attempts().claimed());
  }

  /** A number is given once. */
  @Test
  void numbersAreGivenOnce() throws Exception {
    assertTrue(insert(attempt(1, "run/0", OURS, new Epoch(0, 0))));
    assertFalse(insert(attempt(1, "other/0", OURS, new Epoch(0, 0))));
    assertEquals(1, attempts().claimed().size());
  }

  /** A deployment that is not the owner inserts nothing, and does not become it. */
  @Test
  void onlyTheOwnerInserts() throws Exception {
    assertFalse(insert(attempt(1, "run/0", THEIRS, new Epoch(0, 0))));
    assertEquals(new Registry.Attempts(OURS, List.of()), attempts());
  }

  /** Each run of a job gets a larger number. */
  @Test
  void runsGetGrowingNumbers() throws Exception {
    assertEquals(1, claim("run/0", OURS, new Epoch(0, 0)).number());
    assertEquals(2, claim("run/1", OURS, new Epoch(0, 0)).number());
    Attempt third = claim("restored/0", OURS, new Epoch(2, 7));
    assertEquals(3, third.number());
    assertEquals(5_000, third.claimedMs());
  }

  /** All subtasks of a run get the same number, however they meet. */
  @Test
  void subtasksShareTheAttempt() throws Exception {
    ExecutorService subtasks = Executors.newFixedThreadPool(4);
    try {
      Callable<Integer> claiming = () -> claim("run/0", OURS, new Epoch(0, 0)).number();
      for (Future<Integer> number : subtasks.invokeAll(List.of(claiming, claiming, claiming))) {
        assertEquals(1, number.get());
      }
    } finally {
      subtasks.shutdownNow();
    }
    assertEquals(1, attempts().claimed().size());
  }

  /** A subtask that was restored from elsewhere than its siblings must not start. */
  @Test
  void differentStartsAreRefused() throws Exception {
    claim("run/0", OURS, new Epoch(0, 0));
    claim("run/1", OURS, new Epoch(1, 7));
    assertThrows(ClaimRefusedException.class, () -> claim("run/1", OURS, new Epoch(1, 8)));
  }

  /** A job whose deployment was replaced cannot claim, also when Flink restarts it. */
  @Test
  void replacedDeploymentIsFenced() throws Exception {
    claim("run/0", OURS, new Epoch(0, 0));
    setOwner(THEIRS);
    Throwable told =
        assertThrows(ClaimRefusedException.class, () -> claim("run/1", OURS, new Epoch(1, 3)));
    assertTrue(told.getMessage().contains(THEIRS), told.getMessage());
    assertEquals(2, claim("new/0", THEIRS, new Epoch(1, 3)).number());
  }

  /** Parts of cuts are taken, with and without positions, and may be repeated. */
  @Test
  void recordsCuts() throws Exception {
    CutPart intake = new CutPart(1, 9, "intake-0", 1, at(5, 0));
    CutPart kernel = new CutPart(1, 9, "kernel-0", 1, null);
    for (CutPart part : List.of(intake, kernel, kernel)) {
      registry().record(part).toCompletableFuture().get();
    }
  }

  /** The newest cut is the newest checkpoint of which every subtask has recorded its part. */
  @Test
  void findsTheNewestCompleteCut() throws Exception {
    assertEquals(Optional.empty(), newestCut(3));
    record(new CutPart(3, 9, "intake-0", 2, at(5, 1)), new CutPart(3, 9, "kernel-0", 1, null));
    assertEquals(Optional.empty(), newestCut(3));
    record(new CutPart(3, 9, "intake-1", 2, at(4, 2)));
    assertEquals(Optional.of(new Cut(9, at(5, 2))), newestCut(3));
    record(
        new CutPart(3, 11, "intake-0", 2, at(8, 8)), new CutPart(3, 11, "intake-1", 2, at(8, 8)));
    record(new CutPart(4, 12, "intake-0", 1, at(9, 9)), new CutPart(4, 12, "kernel-0", 1, null));
    assertEquals(Optional.of(new Cut(9, at(5, 2))), newestCut(3));
    record(
        new CutPart(3, 10, "intake-0", 2, at(7, 0)), new CutPart(3, 10, "intake-1", 2, at(0, 7)));
    record(new CutPart(3, 10, "kernel-0", 1, null));
    assertEquals(Optional.of(new Cut(10, at(7, 7))), newestCut(3));
  }

  private void record(CutPart... parts) throws Exception {
    for (CutPart part : parts) {
      registry().record(part).toCompletableFuture().get();
    }
  }

  private Optional<Cut> newestCut(int attempt) throws Exception {
    return registry().newestCut(attempt).toCompletableFuture().get();
  }

  private static Attempt attempt(int number, String execution, String deployment, Epoch start) {
    return new Attempt(
        number,
        execution,
        deployment,
        "stream",
        start,
        at(12, 0),
        77,
        start.checkpointId(),
        66,
        true);
  }

  private static Offsets at(long first, long second) {
    return new Offsets(Map.of("t/0", first, "t/1", second));
  }

  private Attempt claim(String execution, String deployment, Epoch start)
      throws InterruptedException {
    return new Claim(registry(), retry, clock)
        .claim(
            new Claim.Request(
                "posts",
                execution,
                deployment,
                Origin.cut(start, clock.nowMs()),
                false,
                new Age(43_200_000, Age.NEVER),
                () -> at(12, 0)))
        .attempt();
  }

  private Registry.Attempts attempts() throws Exception {
    return registry().attempts().toCompletableFuture().get();
  }

  private boolean insert(Attempt attempt) throws Exception {
    return registry().insert(attempt).toCompletableFuture().get();
  }
}
