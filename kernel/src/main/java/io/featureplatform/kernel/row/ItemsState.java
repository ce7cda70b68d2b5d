package io.featureplatform.kernel.row;

/**
 * State of FIRST, LAST or LAST_N within the SQL. Mutable. It stays bytes until something is added,
 * so state that is only moved is not decoded.
 */
public final class ItemsState {
  private final FeatureMode mode;
  private int n;
  private byte[] bytes;
  private FeatureAccumulator items;

  /**
   * Makes a state.
   *
   * @param n how many items LAST_N keeps; 0 if nothing was added so far
   * @param bytes what was added so far, as the partial; or null
   */
  public ItemsState(FeatureMode mode, int n, byte[] bytes) {
    this.mode = mode;
    this.n = n;
    this.bytes = bytes;
  }

  /** Returns which items are kept. */
  public FeatureMode mode() {
    return mode;
  }

  /** Returns how many items LAST_N keeps; 0 if nothing was added so far. */
  public int n() {
    return n;
  }

  /** Returns what to add to, having seen how many items are wanted. */
  public FeatureAccumulator items(int wanted) {
    if (items == null) {
      n = wanted;
      items = new FeatureAccumulator(mode, wanted);
      if (bytes != null) {
        items.merge(bytes);
      }
    }
    bytes = null;
    return items;
  }

  /** Adds all items of another state, which stays as it is. */
  public void merge(ItemsState other) {
    if (other.n == 0) {
      return;
    }
    if (other.items == null) {
      items(other.n).merge(other.bytes);
    } else {
      items(other.n).merge(other.items);
    }
  }

  /** Returns the partial, or null if nothing was added. */
  public byte[] bytes() {
    if (bytes == null && items != null) {
      bytes = items.toBytes();
    }
    return bytes;
  }

  /** Returns an independent copy. */
  public ItemsState copy() {
    return new ItemsState(mode, n, bytes());
  }
}
