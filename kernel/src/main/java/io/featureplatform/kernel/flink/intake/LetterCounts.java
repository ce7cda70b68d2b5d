package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.event.Reason;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * How many events a feature set has refused so far, by reason: as exact as its rows, for it is
 * restored with them, and is in every cut. After a rescale the counts of a reason may be at several
 * subtasks; they add up.
 */
final class LetterCounts {
  /** Key beside the reasons: of how many of these events no letter could be written. */
  static final String LOST = "_lost";

  private final ListState<Tuple2<String, Long>> state;
  private final Map<String, Long> counts = new HashMap<>();

  /** Registers the state and restores it, or else begins with what the job starts from. */
  LetterCounts(OperatorStateStore store, boolean restored, Map<String, Long> start)
      throws Exception {
    this.state =
        store.getListState(
            new ListStateDescriptor<>("dead-letters", Types.TUPLE(Types.STRING, Types.LONG)));
    if (restored) {
      for (Tuple2<String, Long> part : state.get()) {
        counts.merge(part.f0, part.f1, Long::sum);
      }
    } else {
      counts.putAll(start);
    }
  }

  /** Counts an event that is refused. */
  void add(Reason reason) {
    counts.merge(reason.code(), 1L, Long::sum);
  }

  /** Counts letters that could not be written. */
  void addLost(long letters) {
    if (letters > 0) {
      counts.merge(LOST, letters, Long::sum);
    }
  }

  /** Puts the counts into the checkpoint. */
  void snapshot() throws Exception {
    List<Tuple2<String, Long>> parts = new ArrayList<>();
    counts.forEach((reason, count) -> parts.add(Tuple2.of(reason, count)));
    state.update(parts);
  }

  /** Returns them as they are in a cut. */
  Map<String, Long> all() {
    return Map.copyOf(counts);
  }
}
