package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * What a checkpoint says of itself to whoever starts from it: when it was taken, and at which
 * positions. A union: every subtask of the next run sees all parts, whatever its parallelism.
 */
public final class OriginState {
  private final ListState<Tuple2<Long, String>> state;

  /** Registers the state. */
  public OriginState(OperatorStateStore store) throws Exception {
    state =
        store.getUnionListState(
            new ListStateDescriptor<>("origin", Types.TUPLE(Types.LONG, Types.STRING)));
  }

  /**
   * Returns the restored checkpoint as an origin. One that does not say its time counts as old
   * beyond measure, so that a person is asked.
   *
   * @param start from which epoch to continue
   */
  Origin restored(Epoch checkpoint, Epoch start) throws Exception {
    long timeMs = Long.MAX_VALUE;
    Offsets positions = Offsets.NONE;
    for (Tuple2<Long, String> part : state.get()) {
      timeMs = Math.min(timeMs, part.f0);
      positions = positions.max(Offsets.parse(part.f1));
    }
    return Origin.restored(checkpoint, start, timeMs == Long.MAX_VALUE ? 0 : timeMs, positions);
  }

  /** Puts this subtask's part into the checkpoint. */
  public void snapshot(long nowMs, Offsets positions) throws Exception {
    state.update(List.of(Tuple2.of(nowMs, positions.toJson())));
  }
}
