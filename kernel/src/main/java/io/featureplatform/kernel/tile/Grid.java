package io.featureplatform.kernel.tile;

import java.io.Serializable;

/**
 * The ascending levels of tiles, UTC-aligned and half-open, and how many of the newest a head
 * holds.
 *
 * <p>Invariants: 1. lengths ascend; 2. each is a multiple of the one before; 3. every level has a
 * depth of at least 1. The level after the last stands for lifetime.
 */
public final class Grid implements Serializable {
  private static final long serialVersionUID = 1L;

  private final long[] lengthsMs;
  private final int[] depth;

  /**
   * Makes a grid.
   *
   * @param lengthsMs length of each level in milliseconds, finest first
   * @param depth for each level, how many slots of it a head holds
   */
  public Grid(long[] lengthsMs, int[] depth) {
    boolean valid = lengthsMs.length > 0 && lengthsMs.length == depth.length && lengthsMs[0] > 0;
    for (int level = 0; valid && level < lengthsMs.length; level++) {
      valid = depth[level] >= 1;
      if (valid && level > 0) {
        valid =
            lengthsMs[level] > lengthsMs[level - 1] && lengthsMs[level] % lengthsMs[level - 1] == 0;
      }
    }
    if (!valid) {
      throw new IllegalArgumentException(
          "a grid needs ascending levels, each a multiple of the one before, with depths");
    }
    this.lengthsMs = lengthsMs.clone();
    this.depth = depth.clone();
  }

  /** Returns how many levels there are; also the number that stands for lifetime. */
  public int levels() {
    return lengthsMs.length;
  }

  /** Returns the length of a level's tiles in milliseconds. */
  public long lengthMs(int level) {
    return lengthsMs[level];
  }

  /** Returns how many slots of the level a head holds. */
  public int depth(int level) {
    return depth[level];
  }

  /** Returns the start of the level's tile that holds the instant. */
  public long floor(long timeMs, int level) {
    return timeMs - Math.floorMod(timeMs, lengthsMs[level]);
  }

  /** Returns the start of the oldest slot of the level in a head whose newest tile is given. */
  public long headOldestMs(long newestMs, int level) {
    return floor(newestMs, level) - (depth[level] - 1) * lengthsMs[level];
  }
}
