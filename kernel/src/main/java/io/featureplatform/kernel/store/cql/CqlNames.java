package io.featureplatform.kernel.store.cql;

import java.util.regex.Pattern;

/** Checks names before they become part of a statement. */
final class CqlNames {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,221}");

  private CqlNames() {}

  /**
   * Returns {@code keyspace.table}.
   *
   * @throws IllegalArgumentException one of them is not a plain lower-case name
   */
  static String qualified(String keyspace, String table) {
    for (String name : new String[] {keyspace, table}) {
      if (!NAME.matcher(name).matches()) {
        throw new IllegalArgumentException("not a keyspace or table name: '" + name + "'");
      }
    }
    return keyspace + "." + table;
  }
}
