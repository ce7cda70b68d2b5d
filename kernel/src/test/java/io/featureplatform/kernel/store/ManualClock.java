package io.featureplatform.kernel.store;

import java.util.concurrent.atomic.AtomicLong;

/** A clock that stands still until it is moved. */
public final class ManualClock implements Clock {
  private final AtomicLong nowMs;

  public ManualClock(long nowMs) {
    this.nowMs = new AtomicLong(nowMs);
  }

  public void set(long toMs) {
    nowMs.set(toMs);
  }

  public void advance(long byMs) {
    nowMs.addAndGet(byMs);
  }

  @Override
  public long nowMs() {
    return nowMs.get();
  }
}
