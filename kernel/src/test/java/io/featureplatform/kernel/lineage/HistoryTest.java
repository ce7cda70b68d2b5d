package io.featureplatform.kernel.lineage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.FlushNumbers;
import io.featureplatform.kernel.store.Offsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class HistoryTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("golden.directory", "../tests/golden"), "history.jsonl");

  /** Java and Python see the same line in the same attempts. */
  @Test
  void historiesAreTheGoldenOnes() throws Exception {
    for (String line : Files.readAllLines(GOLDEN)) {
      JsonNode golden = new ObjectMapper().readTree(line);
      Map<Integer, Attempt> attempts = new TreeMap<>();
      golden
          .get("attempts")
          .forEach(
              row -> {
                Epoch start = epoch(row.get("restore_point"));
                attempts.put(
                    row.get("attempt").asInt(), attempt(row.get("attempt").asInt(), start, 0));
              });
      History history =
          History.of(
              attempts, new Epoch(golden.get("of").asInt(), checkpointId(golden.get("upto"))));
      Map<Integer, Long> expected = new TreeMap<>();
      golden
          .get("history")
          .properties()
          .forEach(at -> expected.put(Integer.parseInt(at.getKey()), checkpointId(at.getValue())));
      assertEquals(expected, history.checkpointIds(), line);
      for (JsonNode held : golden.get("holds")) {
        Epoch epoch = new Epoch(held.get(0).asInt(), held.get(1).asLong());
        assertEquals(held.get(2).asBoolean(), history.contains(epoch), line);
      }
    }
  }

  private static Epoch epoch(JsonNode pair) {
    return new Epoch(pair.get(0).asInt(), pair.get(1).asLong());
  }

  private static long checkpointId(JsonNode checkpointId) {
    return checkpointId.isNull() ? Epoch.NO_END : checkpointId.asLong();
  }

  /** The first epoch of a writer that is not in a history is where undo rows begin to matter. */
  @Test
  void leavesWhereTheLinesPart() {
    Map<Integer, Attempt> attempts = new TreeMap<>();
    attempts.put(1, attempt(1, Epoch.GENESIS, 0));
    attempts.put(2, attempt(2, new Epoch(1, 5), 5));
    attempts.put(3, attempt(3, new Epoch(1, 3), 3));
    attempts.put(4, attempt(4, new Epoch(3, 4), 4));
    History mine = History.of(attempts, 4);
    assertEquals(new Epoch(1, 4), History.of(attempts, 2).leaves(mine));
    assertEquals(new Epoch(1, 4), History.of(attempts, 1).leaves(mine));
    assertEquals(new Epoch(3, 5), History.of(attempts, 3).leaves(mine));
    assertFalse(mine.contains(1, 4));
    assertTrue(mine.contains(1, 3));
    assertTrue(mine.meets(1));
    assertFalse(mine.meets(2));
  }

  /** A registry that lost an attempt is told, not guessed over. */
  @Test
  void missingAttemptsAreTold() {
    Map<Integer, Attempt> attempts = Map.of(2, attempt(2, new Epoch(1, 5), 5));
    assertThrows(ClaimRefusedException.class, () -> History.of(attempts, 2));
  }

  /**
   * What a flush number says of its checkpoint id is never too small, and exact for the usual ones.
   */
  @Test
  void flushNumbersGiveTheCheckpointId() {
    Attempt attempt = attempt(7, new Epoch(6, 40), 40);
    FlushNumbers numbers = new FlushNumbers(attempt.firstCheckpointId());
    long before = 0;
    for (long checkpointId : new long[] {41, 41, 43, 43, 44, 44, 90}) {
      long number = numbers.next(checkpointId);
      assertTrue(number > before);
      assertEquals(checkpointId, attempt.checkpointIdAtMost(number));
      before = number;
    }
    for (int i = 0; i < 3 * FlushNumbers.PER_CHECKPOINT; i++) {
      assertTrue(attempt.checkpointIdAtMost(numbers.next(90)) >= 90);
    }
    assertTrue(attempt.checkpointIdAtMost(numbers.next(91)) >= 91);
    assertEquals(95, attempt.checkpointIdAtMost(numbers.next(95)));
  }

  /** Rows of an attempt that did not number by checkpoint id are never surely of any. */
  @Test
  void unknownBasesProveNothing() {
    Attempt attempt = attempt(7, Epoch.GENESIS, Attempt.BASE_UNKNOWN);
    assertEquals(Epoch.NO_END, attempt.checkpointIdAtMost(1));
  }

  static Attempt attempt(int number, Epoch start, long baseCheckpointId) {
    return new Attempt(
        number,
        "run/" + number,
        "d",
        Attempt.STREAM,
        start,
        Offsets.NONE,
        0,
        baseCheckpointId,
        0,
        false);
  }
}
