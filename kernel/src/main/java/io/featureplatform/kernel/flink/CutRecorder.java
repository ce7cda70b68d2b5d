package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.concurrent.InFlight;
import io.featureplatform.kernel.store.CutPart;
import io.featureplatform.kernel.store.Offsets;
import io.featureplatform.kernel.store.Ports;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records a subtask's parts of the cuts beside the stream: it does not hold the barrier up, and
 * failing to record one is counted but fails nothing. Such a cut stays incomplete, that is all.
 */
public final class CutRecorder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CutRecorder.class);
  private static final int IN_FLIGHT_MAX = 16;

  private final Ports ports;
  private final String part;
  private final int of;
  private final InFlight inFlight = new InFlight(IN_FLIGHT_MAX);
  private final AtomicLong failures = new AtomicLong();
  private final AtomicLong recordedMs;

  /**
   * Records for one subtask.
   *
   * @param operator {@link CutPart#INTAKE} or {@link CutPart#KERNEL}
   */
  public CutRecorder(Ports ports, MetricGroup metrics, String operator, TaskInfo task) {
    this.ports = ports;
    this.part = operator + "-" + task.getIndexOfThisSubtask();
    this.of = task.getNumberOfParallelSubtasks();
    this.recordedMs = new AtomicLong(ports.clock().nowMs());
    metrics.gauge("cut_age_ms", (Gauge<Long>) () -> ports.clock().nowMs() - recordedMs.get());
    metrics.gauge("cut_failures", (Gauge<Long>) failures::get);
  }

  /** Starts recording an intake's part; {@link CutPart} says what it holds. */
  public void record(int attempt, long checkpointId, Offsets positions, Map<String, Long> letters)
      throws InterruptedException {
    CutPart cut = new CutPart(attempt, checkpointId, part, of, positions, letters);
    record(cut, () -> CompletableFuture.completedFuture(null));
  }

  /** Starts recording a kernel's; afterwards asks the registry something else, which may fail. */
  public void record(int attempt, long checkpointId, Supplier<CompletionStage<?>> afterwards)
      throws InterruptedException {
    record(new CutPart(attempt, checkpointId, part, of, null), afterwards);
  }

  private void record(CutPart cut, Supplier<CompletionStage<?>> afterwards)
      throws InterruptedException {
    inFlight.submit(
        () ->
            ports
                .registry()
                .record(cut)
                .handle(
                    (done, error) -> {
                      if (error == null) {
                        recordedMs.set(ports.clock().nowMs());
                      } else {
                        failures.incrementAndGet();
                        LOG.warn(
                            "Cut at checkpoint {} of attempt {} was not recorded by {}",
                            cut.checkpointId(),
                            cut.attempt(),
                            part,
                            error);
                      }
                      return null;
                    })
                .thenCompose(done -> afterwards.get())
                .handle((done, error) -> null)); // It is asked for again at the next barrier.
  }

  /** Waits for what is under way: the last cut is that of the barrier before a stop. */
  @Override
  public void close() throws InterruptedException {
    inFlight.awaitAll();
  }
}
