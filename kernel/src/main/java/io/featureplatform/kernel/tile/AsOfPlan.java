package io.featureplatform.kernel.tile;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * What an {@link AsOf} answers: columns over windows, then columns over all events. Each column of
 * a window, and each of all events, is a slot of the answer, in this order.
 *
 * @param layout the columns, by whose index they are named
 * @param windows the windows; their columns are counters
 * @param lifetime columns over all events
 */
public record AsOfPlan(Layout layout, List<Window> windows, List<Integer> lifetime)
    implements Serializable {

  /**
   * A window, which at an instant spans {@code [floor(instant - length, tail), floor(instant,
   * front) + front)}: what its cover in the store spans.
   *
   * @param lengthMs how long it is
   * @param tailMs length of the tile that its tail edge is floored to
   * @param frontMs length of the open tile at its front
   * @param columns indexes of its columns
   */
  public record Window(long lengthMs, long tailMs, long frontMs, List<Integer> columns)
      implements Serializable {}

  /**
   * Reads the plan that {@code feature_platform/training} writes.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static AsOfPlan fromJson(Layout layout, String json) {
    try {
      JsonNode plan = new ObjectMapper().readTree(json);
      List<Window> windows = new ArrayList<>();
      for (JsonNode window : plan.required("windows")) {
        windows.add(
            new Window(
                window.required("length_ms").longValue(),
                window.required("tail_ms").longValue(),
                window.required("front_ms").longValue(),
                ints(window.required("columns"))));
      }
      return new AsOfPlan(layout, List.copyOf(windows), ints(plan.required("lifetime")));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the plan of a training set is not JSON", e);
    }
  }

  /** Returns the column of each slot. */
  public List<Column> slots() {
    return Stream.concat(
            windows.stream().flatMap(window -> window.columns().stream()), lifetime.stream())
        .map(layout.columns()::get)
        .toList();
  }

  private static List<Integer> ints(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonNode::intValue).toList();
  }
}
