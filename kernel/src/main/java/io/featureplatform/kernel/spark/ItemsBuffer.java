package io.featureplatform.kernel.spark;

import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.ItemsState;

/**
 * The buffer of an {@link ItemsAggregator}: an {@link ItemsState} that Spark moves as a bean of its
 * count and bytes, which are made only then. Mutable.
 */
public final class ItemsBuffer {
  private int n;
  private byte[] bytes;
  private ItemsState state;

  /** Makes an empty buffer. */
  public ItemsBuffer() {}

  /** Returns how many items are kept; for Spark. */
  public int getN() {
    return state == null ? n : state.n();
  }

  /** Takes what {@link #getN} gave; for Spark. */
  public void setN(int n) {
    this.n = n;
  }

  /** Returns the partial, or null if nothing was added; for Spark. */
  public byte[] getBytes() {
    return state == null ? bytes : state.bytes();
  }

  /** Takes what {@link #getBytes} gave; for Spark. */
  public void setBytes(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Returns the state; the aggregator knows the mode, which is the same at every call. */
  ItemsState state(FeatureMode mode) {
    if (state == null) {
      state = new ItemsState(mode, n, bytes);
    }
    return state;
  }
}
