package io.featureplatform.kernel.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * The next offset of every partition that this or any subtask has seen, idle ones included.
 *
 * <p>All subtasks are restored with the positions of all, so a partition may be told by several:
 * the largest is right, for only its present owner goes on.
 */
final class Positions {
  private final String topic;
  private final ListState<Tuple2<Integer, Long>> state;
  private final Map<Integer, Long> next = new HashMap<>();

  /** Registers the state and restores it. */
  Positions(OperatorStateStore store, String topic, Map<String, Long> startOffsets)
      throws Exception {
    this.topic = topic;
    this.state =
        store.getUnionListState(
            new ListStateDescriptor<>("positions", Types.TUPLE(Types.INT, Types.LONG)));
    startOffsets.forEach(
        (name, offset) -> {
          int slash = name.lastIndexOf('/');
          if (name.substring(0, slash).equals(topic)) {
            next.put(Integer.parseInt(name.substring(slash + 1)), offset);
          }
        });
    for (Tuple2<Integer, Long> restored : state.get()) {
      next.merge(restored.f0, restored.f1, Math::max);
    }
  }

  /** Says that a record was seen; hot path. */
  void seen(int partition, long offset) {
    next.put(partition, offset + 1);
  }

  /** Puts the positions into the checkpoint. */
  void snapshot() throws Exception {
    List<Tuple2<Integer, Long>> all = new ArrayList<>();
    next.forEach((partition, offset) -> all.add(Tuple2.of(partition, offset)));
    state.update(all);
  }

  /** Writes them as they stand in a cut. */
  String toJson() {
    Map<String, Long> named = new TreeMap<>();
    next.forEach((partition, offset) -> named.put(topic + "/" + partition, offset));
    return JobSpec.offsetsJson(named);
  }
}
