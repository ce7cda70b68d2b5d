package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.FeatureMode;
import java.util.Locale;

/** What a stored column aggregates, and so how a change is applied to it. */
public enum Kind {
  COUNT,
  SUM,
  MIN,
  MAX,
  FIRST,
  LAST,
  LAST_N;

  /** Returns the kind that the layout's JSON names, such as {@code last_n}. */
  public static Kind of(String name) {
    return valueOf(name.toUpperCase(Locale.ROOT));
  }

  /** Returns whether minus commands subtract; 0 is then the same as nothing. */
  public boolean isAdditive() {
    return this == COUNT || this == SUM;
  }

  /** Returns whether the partial is an int64 and not {@code FeatureValue} bytes. */
  public boolean isCounter() {
    return ordinal() <= MAX.ordinal();
  }

  /** Returns which items a feature of this kind keeps. */
  public FeatureMode mode() {
    return switch (this) {
      case FIRST -> FeatureMode.FIRST;
      case LAST -> FeatureMode.LAST;
      case LAST_N -> FeatureMode.LAST_N;
      default -> throw new IllegalStateException(this + " keeps no items");
    };
  }
}
