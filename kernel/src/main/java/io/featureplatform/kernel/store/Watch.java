package io.featureplatform.kernel.store;

import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * Of which entities a job logs its commands.
 *
 * @param version grows with every change; 0: nothing was ever asked for
 * @param share of all entities, 0 to 1, where some are sampled
 * @param entities those that are named; those of a sample come beside them
 */
public record Watch(int version, Mode mode, double share, Set<String> entities) {
  /** Which entities. */
  public enum Mode {
    OFF,
    WATCHED,
    SAMPLED,
    ALL
  }

  /** No entity. */
  public static final Watch OFF = new Watch(0, Mode.OFF, 0, Set.of());

  private static final double HASHES = 1L << 32;

  /** Returns whether any command is to be logged. */
  public boolean isOn() {
    return mode != Mode.OFF;
  }

  /** Returns whether an entity's commands are logged. */
  public boolean wants(String entity) {
    return switch (mode) {
      case OFF -> false;
      case WATCHED -> entities.contains(entity);
      case SAMPLED -> isSampled(entity) || entities.contains(entity);
      case ALL -> true;
    };
  }

  private boolean isSampled(String entity) {
    CRC32 hash = new CRC32();
    hash.update(entity.getBytes(StandardCharsets.UTF_8));
    return hash.getValue() / HASHES < share;
  }
}
