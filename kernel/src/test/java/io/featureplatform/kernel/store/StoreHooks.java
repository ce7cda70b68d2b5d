package io.featureplatform.kernel.store;

/** What the model of the whole job needs of this package and production code must not touch. */
public final class StoreHooks {
  private StoreHooks() {}

  /** Returns flush numbers that do not give the checkpoint id. */
  public static FlushNumbers plainNumbers(long firstCheckpointId) {
    return new FlushNumbers(firstCheckpointId, 0);
  }
}
