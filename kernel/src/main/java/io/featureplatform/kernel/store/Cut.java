package io.featureplatform.kernel.store;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A checkpoint of an attempt for which every subtask has recorded its part: all writes of it are
 * acknowledged and the positions are known.
 */
public record Cut(long checkpointId, Offsets positions) {
  /** Finds the newest complete cut among parts that come checkpoint by checkpoint, newest first. */
  public static final class Search {
    private final Map<String, CutPart> parts = new HashMap<>();
    private long checkpointId = -1;
    private Cut complete;

    /** Takes the next part. */
    public void add(CutPart part) {
      if (complete != null) {
        return;
      }
      if (part.checkpointId() != checkpointId) {
        parts.clear();
        checkpointId = part.checkpointId();
      }
      parts.put(part.part(), part);
      if (all(CutPart.INTAKE) && all(CutPart.KERNEL)) {
        Offsets positions = Offsets.NONE;
        for (CutPart one : parts.values()) {
          positions = one.positions() == null ? positions : positions.max(one.positions());
        }
        complete = new Cut(checkpointId, positions);
      }
    }

    /** Returns it, if all parts of it were among those. */
    public Optional<Cut> found() {
      return Optional.ofNullable(complete);
    }

    private boolean all(String operator) {
      CutPart first = parts.get(operator + "-0");
      if (first == null) {
        return false;
      }
      for (int subtask = 1; subtask < first.of(); subtask++) {
        if (!parts.containsKey(operator + "-" + subtask)) {
          return false;
        }
      }
      return true;
    }
  }
}
