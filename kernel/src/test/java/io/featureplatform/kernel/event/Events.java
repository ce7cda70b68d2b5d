package io.featureplatform.kernel.event;

import java.util.List;

/** A source with a column of every type, for the tests. */
final class Events {
  static final long RECORD_MS = 1_700_000_000_000L;
  static final long MAX_FUTURE_MS = 300_000;

  /** All times since 1970 are taken. */
  static final long MAX_PAST_MS = RECORD_MS;

  static final SourceSchema SCHEMA =
      new SourceSchema(
          "post_events",
          "post_events",
          "ts",
          TimeUnit.MS,
          MAX_FUTURE_MS,
          MAX_PAST_MS,
          2_000,
          List.of(
              column("post", ColumnType.STRING),
              column("ts", ColumnType.TIMESTAMP),
              column("watch_ms", ColumnType.BIGINT),
              column("rank", ColumnType.INT),
              column("score", ColumnType.DOUBLE),
              new SourceColumn("price", ColumnType.DECIMAL, 5, 2),
              column("liked", ColumnType.BOOLEAN),
              column("seen", ColumnType.TIMESTAMP)),
          List.of(),
          Long.MIN_VALUE);

  private Events() {}

  static SourceColumn column(String name, ColumnType type) {
    return new SourceColumn(name, type, 0, 0);
  }

  static Object[] out() {
    return new Object[SCHEMA.columns().size()];
  }
}
