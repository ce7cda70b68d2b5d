package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.lineage.Claim;
import io.featureplatform.kernel.lineage.Claimed;
import io.featureplatform.kernel.lineage.Origin;
import io.featureplatform.kernel.store.ClaimRefusedException;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Offsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.runtime.state.StateInitializationContext;

/**
 * The attempt of this run of the job, in operator state: restored, it says with the checkpoint's id
 * which epoch the next run starts from. An intake claims it in the registry, a kernel waits for
 * that; neither writes before.
 */
public final class AttemptState {
  private final ListState<Integer> state;
  private final JobSpec.Start start;
  private final OptionalLong checkpoint;
  private Claimed claimed;

  /** Registers the state. */
  public AttemptState(StateInitializationContext context, JobSpec.Start start) throws Exception {
    this.state =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("attempt", Types.INT));
    this.start = start;
    this.checkpoint = context.getRestoredCheckpointId();
  }

  /**
   * Claims the attempt, unless another intake has; blocks until the registry answers.
   *
   * @throws SuppressRestartsException this job must not write, and restarting would not change it
   */
  public void claim(
      Claim claim, JobSpec spec, String execution, OriginState origin, Claim.Ends ends)
      throws Exception {
    try {
      Optional<Epoch> restored = restored(state.get(), checkpoint, start);
      claimed =
          claim.claim(
              new Claim.Request(
                  spec.featureset(),
                  execution,
                  spec.deployment(),
                  restored.isPresent()
                      ? origin.restored(restored.get(), start.after(restored.get()))
                      : unrestored(start),
                  start.clean(),
                  spec.age(),
                  ends));
    } catch (ClaimRefusedException e) {
      throw new SuppressRestartsException(e);
    }
  }

  /**
   * Waits for the attempt that an intake claims.
   *
   * @throws SuppressRestartsException this subtask was restored from elsewhere
   */
  public void await(Claim claim, String execution) throws Exception {
    try {
      Optional<Epoch> restored = restored(state.get(), checkpoint, start);
      Origin origin =
          restored.isPresent()
              ? Origin.restored(restored.get(), start.after(restored.get()), 0, Offsets.NONE)
              : unrestored(start);
      claimed = claim.await(execution, origin);
    } catch (ClaimRefusedException e) {
      throw new SuppressRestartsException(e);
    }
  }

  /** Returns the attempt and all before it; null until it is claimed. */
  public Claimed claimed() {
    return claimed;
  }

  /** Returns the number of the attempt. */
  public int number() {
    return claimed.attempt().number();
  }

  /** Puts the attempt into the checkpoint. */
  public void snapshot() throws Exception {
    state.update(List.of(number()));
  }

  /** Returns the epoch of the state that was restored, if any was. */
  static Optional<Epoch> restored(
      Iterable<Integer> attempts, OptionalLong checkpoint, JobSpec.Start start) {
    Integer attempt = null;
    for (Integer one : attempts) {
      if (attempt != null && !attempt.equals(one)) {
        throw new ClaimRefusedException(
            "the checkpoint was written by two attempts, " + attempt + " and " + one);
      }
      attempt = one;
    }
    if (attempt != null) {
      return Optional.of(new Epoch(attempt, checkpoint.orElseThrow()));
    }
    if (checkpoint.isPresent() || start.from().equals(JobSpec.FROM_SAVEPOINT)) {
      throw new ClaimRefusedException(
          "the restored checkpoint has no state for this operator: was its uid changed?");
    }
    return Optional.empty();
  }

  /** Returns what all subtasks of one run share: the execution graph's id and Flink's attempt. */
  public static String execution(Environment environment) {
    String text = environment.getExecutionId().toString();
    return text.substring(0, text.indexOf('_')) + "/" + text.substring(text.lastIndexOf('_') + 1);
  }

  private static Origin unrestored(JobSpec.Start start) {
    return start.named().equals(Epoch.GENESIS)
        ? Origin.genesis()
        : Origin.cut(start.named(), start.dirtySinceMs());
  }
}
