package io.featureplatform.kernel.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every registry promises, and what claims make of it. */
@Timeout(60)
abstract class RegistryContract {
  static final String OURS = "deployment-a";
  static final String THEIRS = "deployment-b";

  private final ManualClock clock = new ManualClock(5_000);
  private final Retry retry = new Retry(10_000, clock);

  /** Returns the registry of a generation without attempts, owned by {@link #OURS}. */
  abstract Registry registry();

  abstract void setOwner(String owner);

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
    claim("run/0", OURS, new Epoch(1, 7));
    assertThrows(ClaimRefusedException.class, () -> claim("run/0", OURS, new Epoch(1, 8)));
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
    CutPart intake = new CutPart(1, 9, "intake-0", 1, "{\"t/0\":5}");
    CutPart kernel = new CutPart(1, 9, "kernel-0", 1, null);
    for (CutPart part : List.of(intake, kernel, kernel)) {
      registry().record(part).toCompletableFuture().get();
    }
  }

  private static Attempt attempt(int number, String execution, String deployment, Epoch start) {
    return new Attempt(number, execution, deployment, "stream", start, "{\"t/0\":12}", 77);
  }

  private Attempt claim(String execution, String deployment, Epoch start)
      throws InterruptedException {
    return new Claim(registry(), retry, clock).claim(attempt(0, execution, deployment, start));
  }

  private Registry.Attempts attempts() throws Exception {
    return registry().attempts().toCompletableFuture().get();
  }

  private boolean insert(Attempt attempt) throws Exception {
    return registry().insert(attempt).toCompletableFuture().get();
  }
}
