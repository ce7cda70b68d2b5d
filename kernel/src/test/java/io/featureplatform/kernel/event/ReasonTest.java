package io.featureplatform.kernel.event;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ReasonTest {
  /** The codes are what dead letters say. */
  @Test
  void codesAreLowerCase() {
    assertEquals("future_event_time", Reason.FUTURE_EVENT_TIME.code());
  }
}
