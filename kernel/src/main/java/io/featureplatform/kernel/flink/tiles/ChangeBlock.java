package io.featureplatform.kernel.flink.tiles;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.featureplatform.kernel.job.JobSpec;
import io.featureplatform.kernel.tile.Column;
import io.featureplatform.kernel.tile.Layout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * Logged commands of one subtask: a record of the changelog's topic.
 *
 * <p>The value is rows of {@link RowBinary}: attempt Int32, checkpoint_id Int64, flush Int64,
 * subtask Int32, seq Int64, at_ms Int64, kind Int8, entity String, tile_ms Int64, and each column's
 * partial as Nullable(Int64) or Nullable(String). A kind is that of {@code RowKind}, or a marker.
 *
 * @param rows the value
 * @param count how many rows it has
 */
@SuppressWarnings("ArrayRecordComponent")
record ChangeBlock(byte[] rows, int count) {
  /** A barrier has passed: all of this subtask's commands of this checkpoint id precede it. */
  static final int BARRIER = 4;

  /**
   * From here on commands are logged: of the entity, or, where it is empty, of a share of all,
   * which is in place of the tile, in billionths.
   */
  static final int WATCHED = 5;

  /** From here on they are not. */
  static final int NOT_WATCHED = 6;

  /** Of the format; another one is not read as this one. */
  private static final String FORMAT = "1";

  private static final ObjectMapper MAPPER = new ObjectMapper();

  /** Returns whether a column's partial is a number; it is bytes else. */
  static boolean isNumber(Column column) {
    return switch (column.kind()) {
      case COUNT, SUM, MIN, MAX -> true;
      default -> false;
    };
  }

  /** Returns the headers of every block of a job. */
  static Map<String, byte[]> headers(JobSpec spec, Layout layout) {
    List<List<Object>> columns =
        layout.columns().stream()
            .map(
                column ->
                    List.<Object>of(column.name(), column.id(), isNumber(column) ? "int" : "bytes"))
            .toList();
    try {
      return Map.of(
          "format", bytes(FORMAT),
          "featureset", bytes(spec.featureset()),
          "generation", bytes(Integer.toString(spec.generation())),
          "fingerprint", bytes(spec.dataFingerprint()),
          "columns", MAPPER.writeValueAsBytes(columns));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("columns without names", e);
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
