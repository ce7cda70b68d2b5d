package io.featureplatform.kernel.tile;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.featureplatform.kernel.row.FeatureValues;
import io.featureplatform.kernel.row.proto.FeatureValue;
import io.featureplatform.kernel.row.proto.HeadRow;
import io.featureplatform.kernel.row.proto.TileRow;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/** The obvious recount: every tile from all commands, then those of the head picked. */
final class NaiveTiles {
  final SortedMap<TileKey, byte[]> closed = new TreeMap<>();
  final byte[] head;

  NaiveTiles(Layout layout, List<Command> commands) throws InvalidProtocolBufferException {
    HeadRow.Builder headRow = HeadRow.newBuilder();
    for (int level : layout.columns().get(0).levels()) {
      TreeSet<Long> starts = new TreeSet<>();
      for (Command command : commands) {
        starts.add(floor(layout, command, level));
      }
      long newest = starts.isEmpty() ? 0 : starts.last();
      long length = layout.grid().lengthMs(level);
      for (long start : starts) {
        List<Command> own =
            commands.stream().filter(c -> floor(layout, c, level) == start).toList();
        TileRow row = row(layout, level, own);
        if (start > newest - layout.grid().depth(level) * length) {
          headRow.addTiles(tile(level, start, row));
        } else {
          closed.put(new TileKey(level, start), row.toByteArray());
        }
      }
    }
    int lifetime = layout.lifetimeLevel();
    headRow.addTiles(tile(lifetime, 0, row(layout, lifetime, commands)));
    head = headRow.build().toByteArray();
  }

  private static long floor(Layout layout, Command command, int level) {
    long length = layout.grid().lengthMs(level);
    return command.tileStartMs() / length * length;
  }

  private static io.featureplatform.kernel.row.proto.Tile tile(
      int level, long startMs, TileRow row) {
    var tile = io.featureplatform.kernel.row.proto.Tile.newBuilder();
    tile.setLevel(level).setStartMs(startMs);
    return tile.setRow(row.toByteString()).build();
  }

  private static TileRow row(Layout layout, int level, List<Command> commands)
      throws InvalidProtocolBufferException {
    SortedMap<Integer, Long> counters = new TreeMap<>();
    SortedMap<Integer, FeatureValue> features = new TreeMap<>();
    for (Column column : layout.columns()) {
      boolean held =
          level == layout.lifetimeLevel() ? column.lifetime() : column.levels().contains(level);
      if (held && column.kind().isCounter()) {
        Long counter = counter(column, commands);
        if (counter != null) {
          counters.put(column.id(), counter);
        }
      } else if (held) {
        byte[] feature = feature(column, commands);
        if (feature != null) {
          features.put(column.id(), FeatureValue.parseFrom(ByteString.copyFrom(feature)));
        }
      }
    }
    return TileRow.newBuilder()
        .putAllFeatures(features)
        .addAllCounterIds(counters.keySet())
        .addAllCounters(counters.values())
        .build();
  }

  private static Long counter(Column column, List<Command> commands) {
    var values =
        commands.stream()
            .filter(c -> !c.isNull(column.index()))
            .filter(c -> c.plus() || column.kind().isAdditive())
            .mapToLong(c -> c.plus() ? c.int64(column.index()) : -c.int64(column.index()));
    return switch (column.kind()) {
      case MIN -> values.boxed().min(Long::compare).orElse(null);
      case MAX -> values.boxed().max(Long::compare).orElse(null);
      default -> {
        long sum = values.sum();
        yield sum == 0 ? null : sum;
      }
    };
  }

  private static byte[] feature(Column column, List<Command> commands) {
    byte[] merged = null;
    for (Command command : commands) {
      if (command.plus() && !command.isNull(column.index())) {
        byte[] value = command.bytes(column.index());
        merged = FeatureValues.merge(merged, value, column.kind().mode(), column.n());
      }
    }
    return merged;
  }
}
