package io.featureplatform.kernel.store;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.function.IntFunction;

/** What the model of the whole job needs of this package and production code must not touch. */
public final class Hooks {
  private Hooks() {}

  /** How a thread waits for room. */
  public interface Waiting {
    void acquire(Semaphore permits, int count);
  }

  /** Returns a bound on requests whose waiting is done by the caller. */
  public static InFlight inFlight(int limit, Waiting waiting) {
    return new InFlight(limit, waiting::acquire);
  }

  /** Returns a reader that judges rows by other histories of their writers. */
  public static ReadBack readBack(
      TileStore store, Claimed claimed, Recovery recovery, IntFunction<History> histories) {
    return new ReadBack(store, claimed, recovery, histories);
  }

  /** Returns flush numbers that do not tell the label. */
  public static FlushNumbers plainNumbers(long firstLabel) {
    return new FlushNumbers(firstLabel, 0);
  }

  /** Returns the cut that these parts of one label make, if they are all. */
  public static Optional<Cut> complete(List<CutPart> parts) {
    Cut.Search search = new Cut.Search();
    parts.forEach(search::add);
    return search.found();
  }

  /** Returns a history in which every epoch of these attempts counts. */
  public static History everything(Map<Integer, Attempt> attempts) {
    Map<Integer, Attempt> chained = new TreeMap<>();
    int before = 0;
    for (int number : attempts.keySet().stream().sorted().toList()) {
      chained.put(
          number,
          new Attempt(
              number,
              "",
              "",
              Attempt.STREAM,
              new Epoch(before, History.NO_END),
              Offsets.NONE,
              0,
              0,
              0,
              false));
      before = number;
    }
    return History.of(chained, before);
  }
}
