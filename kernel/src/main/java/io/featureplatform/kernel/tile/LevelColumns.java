package io.featureplatform.kernel.tile;

import io.featureplatform.kernel.row.FeatureMode;
import java.io.Serializable;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * The columns that the tiles of one level hold, ascending by id, as arrays for the merge.
 *
 * @param counterIds ids of the counters
 * @param counterIndexes for each counter its column's index
 * @param kinds for each counter its kind
 * @param featureIds ids of the features
 * @param featureIndexes for each feature its column's index
 * @param modes for each feature what it keeps
 * @param limits for each feature how many items LAST_N keeps
 */
@SuppressWarnings("ArrayRecordComponent")
record LevelColumns(
    int[] counterIds,
    int[] counterIndexes,
    Kind[] kinds,
    int[] featureIds,
    int[] featureIndexes,
    FeatureMode[] modes,
    int[] limits)
    implements Serializable {

  static LevelColumns of(List<Column> columns, int level, int lifetimeLevel) {
    List<Column> held =
        columns.stream()
            .filter(c -> level == lifetimeLevel ? c.lifetime() : c.levels().contains(level))
            .sorted(Comparator.comparingInt(Column::id))
            .toList();
    List<Column> counters = held.stream().filter(c -> c.kind().isCounter()).toList();
    List<Column> features = held.stream().filter(c -> !c.kind().isCounter()).toList();
    return new LevelColumns(
        ids(counters.stream()),
        indexes(counters.stream()),
        counters.stream().map(Column::kind).toArray(Kind[]::new),
        ids(features.stream()),
        indexes(features.stream()),
        features.stream().map(c -> c.kind().mode()).toArray(FeatureMode[]::new),
        features.stream().mapToInt(Column::n).toArray());
  }

  private static int[] ids(Stream<Column> columns) {
    return columns.mapToInt(Column::id).toArray();
  }

  private static int[] indexes(Stream<Column> columns) {
    return columns.mapToInt(Column::index).toArray();
  }
}
