package io.featureplatform.kernel.concurrent;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Collects what may travel in one request, and hands it on when enough has come together or a
 * moment has passed: most of what a small request costs a store is being a request.
 *
 * <p>Items of one place go together. What it holds is bounded by what its users have under way.
 * Safe for use by threads; items are handed on by whoever brought the last, or by a thread of its
 * own, which ends with {@link #close()}.
 */
public final class Grouping<T> implements AutoCloseable {
  private final int itemsMax;
  private final int bytesMax;
  private final Consumer<List<T>> send;
  private final ScheduledExecutorService timer;
  private final long delayMs;
  private final Map<Object, Group<T>> groups = new HashMap<>();
  private boolean timed;

  private static final class Group<T> {
    final List<T> items = new ArrayList<>();
    int bytes;
  }

  /**
   * Makes an empty one.
   *
   * @param itemsMax how many items a group has at most
   * @param bytesMax how large a group of more than one item is at most
   * @param delayMs how long an item waits for others
   * @param send must not block, nor throw
   */
  public Grouping(int itemsMax, int bytesMax, long delayMs, Consumer<List<T>> send) {
    this.itemsMax = itemsMax;
    this.bytesMax = bytesMax;
    this.delayMs = delayMs;
    this.send = send;
    this.timer = DaemonTimer.start("fp-store-groups");
  }

  /** Takes an item; hands its group on if that is full now, or the one before it if it was. */
  public void add(Object place, T item, int bytes) {
    List<List<T>> full = new ArrayList<>(0);
    synchronized (this) {
      Group<T> group = groups.get(place);
      if (group != null && group.bytes + bytes > bytesMax) {
        full.add(groups.remove(place).items);
        group = null;
      }
      if (group == null) {
        group = new Group<>();
        groups.put(place, group);
      }
      group.items.add(item);
      group.bytes += bytes;
      if (group.items.size() >= itemsMax || group.bytes >= bytesMax) {
        full.add(groups.remove(place).items);
      } else if (!timed) {
        timed = true;
        var unused = timer.schedule(this::sendAll, delayMs, TimeUnit.MILLISECONDS);
      }
    }
    full.forEach(send);
  }

  /** Hands on what there is. */
  @Override
  public void close() {
    timer.shutdownNow();
    sendAll();
  }

  private void sendAll() {
    Collection<Group<T>> all;
    synchronized (this) {
      timed = false;
      all = List.copyOf(groups.values());
      groups.clear();
    }
    all.forEach(group -> send.accept(group.items));
  }
}
