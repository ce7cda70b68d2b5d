package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.flink.World;
import org.junit.jupiter.api.Timeout;

/** What the tests of the operator share: a world to run it in, and the recount that judges it. */
@Timeout(60)
abstract class OnKernelRuns {
  static final long MINUTE = 60_000;
  static final long T0 = World.START_MS;

  final World world = new World();
  final Recount recount = new Recount();
}
