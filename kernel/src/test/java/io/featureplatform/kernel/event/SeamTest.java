package io.featureplatform.kernel.event;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SeamTest {
  private static final int TOPIC = 0;

  /** At each instant exactly one of both counts. */
  @ParameterizedTest
  @CsvSource({"999, false", "1000, true", "1001, true", "0, false"})
  void oneOfBothCounts(long timeMs, boolean topic) {
    SourceSchema schema = since(1_000);
    assertEquals(topic, schema.counts(TOPIC, timeMs));
    assertEquals(!topic, schema.counts(SourceSchema.HISTORY_PARTITION, timeMs));
  }

  /** Without a history the topic has everything. */
  @Test
  void withoutASeamTheTopicHasAll() {
    SourceSchema schema = since(Long.MIN_VALUE);
    assertEquals(true, schema.counts(TOPIC, 0));
    assertEquals(false, schema.counts(SourceSchema.HISTORY_PARTITION, 0));
  }

  private static SourceSchema since(long ms) {
    List<SourceColumn> columns = List.of(Events.column("at", ColumnType.BIGINT));
    return new SourceSchema("s", "s", "at", TimeUnit.MS, 1, 1, 1, columns, List.of(), ms);
  }
}
