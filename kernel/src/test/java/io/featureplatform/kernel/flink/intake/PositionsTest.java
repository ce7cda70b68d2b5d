package io.featureplatform.kernel.flink.intake;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.featureplatform.kernel.store.Offsets;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.TaskInfoImpl;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.core.fs.CloseableRegistry;
import org.apache.flink.runtime.state.DefaultOperatorStateBackend;
import org.apache.flink.runtime.state.DefaultOperatorStateBackendBuilder;
import org.junit.jupiter.api.Test;

class PositionsTest {
  /**
   * After 1 -> 3 subtasks, one that does not read a partition keeps where it stood then; after 3 ->
   * 2 it and the real one come to one subtask. A cut with the old one would have a start from the
   * store count events twice.
   */
  @Test
  void ofTwoThatTellOnePartitionTheLargerIsRight() throws Exception {
    for (List<Tuple2<Integer, Long>> order :
        List.of(
            List.of(Tuple2.of(3, 10L), Tuple2.of(3, 25L)),
            List.of(Tuple2.of(3, 25L), Tuple2.of(3, 10L)))) {
      try (CloseableRegistry closing = new CloseableRegistry()) {
        DefaultOperatorStateBackend store =
            new DefaultOperatorStateBackendBuilder(
                    getClass().getClassLoader(), new ExecutionConfig(), false, List.of(), closing)
                .build();
        ListState<Tuple2<Integer, Long>> state =
            store.getListState(
                new ListStateDescriptor<>("positions", Types.TUPLE(Types.INT, Types.LONG)));
        state.update(order);
        Positions positions =
            new Positions(
                store, true, "events", Map.of(), new TaskInfoImpl("intake", 128, 0, 2, 0));
        assertEquals(new Offsets(Map.of("events/3", 25L)), positions.offsets());
      }
    }
  }
}
