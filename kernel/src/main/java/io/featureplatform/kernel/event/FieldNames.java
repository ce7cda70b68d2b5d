package io.featureplatform.kernel.event;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The names of an event's own fields: which column each is, and whether it was there before.
 *
 * <p>Jackson reports names that occur twice, too, with a hash set for each object: for flat events
 * that takes a fourth of the time of parsing. Reusable, not thread-safe. Hot path.
 */
final class FieldNames {
  /** What is no column of the source. */
  static final int OTHER = -1;

  /** How many names that are not columns are compared one by one. */
  static final int OTHERS_MAX = 16;

  private final Map<String, Integer> columns = new HashMap<>();
  private final String[] others = new String[OTHERS_MAX];
  private final long[] seenIn;
  private int otherCount;
  private long event;

  FieldNames(List<SourceColumn> columns) {
    for (SourceColumn column : columns) {
      this.columns.put(column.name(), this.columns.size());
    }
    this.seenIn = new long[columns.size()];
  }

  /** Begins an event. */
  void begin() {
    event++;
    otherCount = 0;
  }

  /** Returns the index of a column, or {@link #OTHER}. */
  int column(String name) {
    Integer index = columns.get(name);
    return index == null ? OTHER : index;
  }

  /** Returns whether there are too many names to know of more whether they occur twice. */
  boolean isFull() {
    return otherCount == OTHERS_MAX;
  }

  /**
   * Takes note of a name; returns false if it was there before.
   *
   * @param column what {@link #column} says of it
   */
  boolean add(String name, int column) {
    if (column != OTHER) {
      boolean isNew = seenIn[column] != event;
      seenIn[column] = event;
      return isNew;
    }
    for (int i = 0; i < otherCount; i++) {
      if (others[i].equals(name)) {
        return false;
      }
    }
    others[otherCount++] = name;
    return true;
  }
}
