package io.featureplatform.kernel.concurrent;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/** Makes timers of one thread each that keep no process alive; whoever makes one shuts it down. */
final class DaemonTimer {
  private DaemonTimer() {}

  /** Starts a timer whose thread has a name. */
  static ScheduledExecutorService start(String name) {
    return Executors.newSingleThreadScheduledExecutor(
        task -> {
          Thread thread = new Thread(task, name);
          thread.setDaemon(true);
          return thread;
        });
  }
}
