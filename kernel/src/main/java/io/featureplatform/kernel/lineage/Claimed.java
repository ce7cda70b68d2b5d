package io.featureplatform.kernel.lineage;

import io.featureplatform.kernel.store.Attempt;
import java.util.Map;

/**
 * An attempt that may write, and all attempts before it: enough to judge every row for as long as
 * it runs.
 *
 * @param attempt its own
 * @param attempts all up to it, by number
 */
public record Claimed(Attempt attempt, Map<Integer, Attempt> attempts) {
  /** Takes its own copy. */
  public Claimed {
    attempts = Map.copyOf(attempts);
  }
}
