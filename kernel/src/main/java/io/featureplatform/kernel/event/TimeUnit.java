package io.featureplatform.kernel.event;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** What a number in a time column counts since 1970. */
public enum TimeUnit {
  /** Seconds. */
  S(3, "seconds"),
  /** Milliseconds. */
  MS(0, "milliseconds"),
  /** Microseconds. */
  US(-3, "microseconds"),
  /** Nanoseconds. */
  NS(-6, "nanoseconds");

  private final int powerOfMs;
  private final String words;

  TimeUnit(int powerOfMs, String words) {
    this.powerOfMs = powerOfMs;
    this.words = words;
  }

  /** Returns the unit of a source's {@code event_time_unit}, such as {@code us}. */
  static TimeUnit of(String setting) {
    return valueOf(setting.toUpperCase(java.util.Locale.ROOT));
  }

  /** The setting's value, such as {@code us}. */
  String setting() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /** What people call it. */
  String words() {
    return words;
  }

  /**
   * Returns milliseconds, the largest or smallest long if there are more; what is finer is cut off.
   */
  long toMs(long value) {
    return switch (this) {
      case S -> {
        long ms = value * 1000;
        yield Math.multiplyHigh(value, 1000) == ms >> 63
            ? ms
            : value < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
      }
      case MS -> value;
      case US -> Math.floorDiv(value, 1000);
      case NS -> Math.floorDiv(value, 1_000_000);
    };
  }

  /** Does the same for a number below {@link NumberText#EXACT_MAX}, with digits after the point. */
  long toMs(BigDecimal value) {
    if (value.signum() == 0 || NumberText.integerDigits(value) < -powerOfMs) {
      return value.signum() < 0 ? -1 : 0; // expanding a tiny number takes very many digits
    }
    return value.scaleByPowerOfTen(powerOfMs).setScale(0, RoundingMode.FLOOR).longValueExact();
  }

  /**
   * Returns the unit in which a number, taken for this unit by mistake, is near another time.
   *
   * @param timeMs the number as a time of this unit, in milliseconds
   * @param nearMs the other time
   * @param withinMs how near
   * @return null if there is none
   */
  TimeUnit mistakenAt(long timeMs, long nearMs, long withinMs) {
    for (TimeUnit other : values()) {
      BigDecimal otherMs =
          BigDecimal.valueOf(timeMs).scaleByPowerOfTen(other.powerOfMs - powerOfMs);
      BigDecimal apart = otherMs.subtract(BigDecimal.valueOf(nearMs)).abs();
      if (other != this && apart.compareTo(BigDecimal.valueOf(withinMs)) <= 0) {
        return other;
      }
    }
    return null;
  }
}
