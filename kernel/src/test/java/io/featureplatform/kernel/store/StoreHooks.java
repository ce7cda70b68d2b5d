package io.featureplatform.kernel.store;

/** What the model of the whole job needs of this package and production code must not touch. */
public final class StoreHooks {
  private StoreHooks() {}

  /** Returns flush numbers that do not tell the label. */
  public static FlushNumbers plainNumbers(long firstLabel) {
    return new FlushNumbers(firstLabel, 0);
  }
}
