package io.featureplatform.kernel.store;

/**
 * Everything of one generation that is outside the job: its rows, its registry, the clock.
 *
 * @param release what else to do on {@link #close()}
 */
public record Ports(TileStore tiles, Registry registry, Clock clock, Runnable release)
    implements AutoCloseable {
  /** Waits for requests under way, then lets go of the store. */
  @Override
  public void close() {
    tiles.close();
    registry.close();
    release.run();
  }
}
