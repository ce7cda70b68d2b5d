package io.featureplatform.kernel.store;

/** Tells the present; a test hands in one that it moves itself. */
@FunctionalInterface
public interface Clock {
  /** The machine's clock, the only place of the kernel that reads it. */
  Clock SYSTEM = System::currentTimeMillis;

  /** Only differences of it mean anything: nobody sets it, so patience never ends early. */
  Clock MONOTONIC = () -> System.nanoTime() / 1_000_000;

  /** Returns the present as epoch milliseconds, UTC. */
  long nowMs();
}
