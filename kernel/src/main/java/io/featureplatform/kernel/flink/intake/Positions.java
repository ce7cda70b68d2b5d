package io.featureplatform.kernel.flink.intake;

import io.featureplatform.kernel.store.Offsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * The next offset of every partition that this subtask knows, idle ones included.
 *
 * <p>Restored positions come back to the subtask that had them, as the source's splits do. After a
 * rescale, and for the offsets a job was started with, one may be at a subtask that does not read
 * the partition: then two report it, and the larger is right.
 */
final class Positions {
  private final String topic;
  private final ListState<Tuple2<Integer, Long>> state;
  private final Map<Integer, Long> next = new HashMap<>();

  /** Registers the state and restores it, or else begins at the offsets the job starts with. */
  Positions(
      OperatorStateStore store,
      boolean restored,
      String topic,
      Map<String, Long> startOffsets,
      TaskInfo task)
      throws Exception {
    this.topic = topic;
    this.state =
        store.getListState(
            new ListStateDescriptor<>("positions", Types.TUPLE(Types.INT, Types.LONG)));
    if (restored) {
      for (Tuple2<Integer, Long> position : state.get()) {
        // Both may come to one subtask when the job is rescaled once more.
        next.merge(position.f0, position.f1, Math::max);
      }
    } else {
      startOffsets.forEach((name, offset) -> start(name, offset, task));
    }
  }

  private void start(String name, long offset, TaskInfo task) {
    int slash = name.lastIndexOf('/');
    int partition = Integer.parseInt(name.substring(slash + 1));
    boolean ours = partition % task.getNumberOfParallelSubtasks() == task.getIndexOfThisSubtask();
    if (ours && name.substring(0, slash).equals(topic)) {
      next.put(partition, offset);
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

  /** Returns them as they are in a cut. */
  Offsets offsets() {
    Map<String, Long> named = new HashMap<>();
    next.forEach((partition, offset) -> named.put(topic + "/" + partition, offset));
    return new Offsets(named);
  }
}
