package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.store.Attempt;
import io.featureplatform.kernel.store.Claim;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Ports;
import io.featureplatform.kernel.store.Retry;
import java.util.List;
import java.util.OptionalLong;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.runtime.state.StateInitializationContext;

/**
 * The attempt of this run of the job, claimed in the registry before anything is written, and kept
 * in operator state: restored, it says with the checkpoint's id which epoch the next run starts
 * from.
 */
final class AttemptState {
  private static final String KIND = "stream";

  private final ListState<Integer> state;
  private final int attempt;

  private AttemptState(ListState<Integer> state, int attempt) {
    this.state = state;
    this.attempt = attempt;
  }

  /**
   * Claims the attempt; blocks until the registry answers.
   *
   * @throws SuppressRestartsException this job must not write, and restarting would not change it
   */
  static AttemptState claim(
      StateInitializationContext context,
      Environment environment,
      JobSpec spec,
      Ports ports,
      Retry retry)
      throws Exception {
    ListState<Integer> state =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("attempt", Types.INT));
    try {
      Attempt request =
          new Attempt(
              0,
              execution(environment),
              spec.deployment(),
              KIND,
              start(state.get(), context.getRestoredCheckpointId(), spec.start()),
              JobSpec.offsetsJson(spec.start().endOffsets()),
              0);
      Attempt claimed = new Claim(ports.registry(), retry, ports.clock()).claim(request);
      return new AttemptState(state, claimed.number());
    } catch (ClaimRefusedException e) {
      throw new SuppressRestartsException(e);
    }
  }

  int number() {
    return attempt;
  }

  /** Puts the attempt into the checkpoint. */
  void snapshot() throws Exception {
    state.update(List.of(attempt));
  }

  /** Returns the epoch this run starts from. */
  static Epoch start(Iterable<Integer> restored, OptionalLong checkpoint, JobSpec.Start start) {
    Integer attempt = null;
    for (Integer one : restored) {
      if (attempt != null && !attempt.equals(one)) {
        throw new ClaimRefusedException(
            "the checkpoint was written by two attempts, " + attempt + " and " + one);
      }
      attempt = one;
    }
    if (attempt != null) {
      return new Epoch(attempt, checkpoint.orElseThrow());
    }
    if (checkpoint.isPresent() || start.from().equals(JobSpec.FROM_SAVEPOINT)) {
      throw new ClaimRefusedException(
          "the restored checkpoint holds no state of this operator: was its uid changed?");
    }
    return new Epoch(start.rAttempt(), start.rLabel());
  }

  /** Returns what all subtasks of one run share: the execution graph's id and Flink's attempt. */
  static String execution(Environment environment) {
    String text = environment.getExecutionId().toString();
    return text.substring(0, text.indexOf('_')) + "/" + text.substring(text.lastIndexOf('_') + 1);
  }
}
