package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.TileStore;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;

/** What the model of the whole job needs of this package and production code must not touch. */
public final class LineageHooks {
  private LineageHooks() {}

  /** Returns a reader that judges rows by other histories of their writers. */
  public static ReadBack readBack(
      TileStore store, Claimed claimed, Recovery recovery, IntFunction<History> histories) {
    return new ReadBack(store, claimed, recovery, histories);
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
              new Epoch(before, Epoch.NO_END),
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
