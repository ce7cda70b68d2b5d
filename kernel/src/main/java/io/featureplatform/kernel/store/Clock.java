package io.featureplatform.kernel.store;

/** Returns the present; a test hands in one that it moves itself. */
@FunctionalInterface
public interface Clock {
  /** The machine's clock, the only place of the kernel that reads it. */
  Clock SYSTEM = System::currentTimeMillis;

  /** Returns the present as epoch milliseconds, UTC. */
  long nowMs();
}
