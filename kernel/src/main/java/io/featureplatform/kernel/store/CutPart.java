package io.featureplatform.kernel.store;

import java.util.Map;

/**
 * What one subtask records before a barrier passes it; when all have, store and offsets are a cut.
 *
 * @param attempt the writer's attempt
 * @param checkpointId of the barrier
 * @param part {@code kernel-<subtask>} or {@code intake-<subtask>}
 * @param of how many such parts there are
 * @param positions of an intake, the next offsets; null of a kernel. A partition named by several
 *     parts is at the largest
 * @param letters of an intake, how many events it has refused, by reason; parts add up
 */
public record CutPart(
    int attempt,
    long checkpointId,
    String part,
    int of,
    Offsets positions,
    Map<String, Long> letters) {
  /** Makes a part that has refused nothing. */
  public CutPart(int attempt, long checkpointId, String part, int of, Offsets positions) {
    this(attempt, checkpointId, part, of, positions, Map.of());
  }

  /** What the name of an intake's part begins with. */
  public static final String INTAKE = "intake";

  /** What the name of a kernel's part begins with. */
  public static final String KERNEL = "kernel";
}
