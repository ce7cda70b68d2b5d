package io.featureplatform.kernel.flink.model;

import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.TileStore;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Head;
import io.featureplatform.kernel.tile.Layout;
import io.featureplatform.kernel.tile.TileKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The partitioned source, the queries that may count it, and the recount that judges rows. */
final class ModelEvents {
  static final int PARTITIONS = 2;
  static final int QUERIES = 3;
  static final long MINUTE_MS = 60_000;

  /** One event; its number is what is summed and what queries choose by. */
  record Event(String entity, long tileMs, long number) implements CommandValues {
    @Override
    public boolean isNull(int column) {
      return false;
    }

    @Override
    public long int64(int column) {
      return column == 0 ? 1 : number;
    }

    @Override
    public byte[] bytes(int column) {
      throw new IllegalStateException("no column holds bytes");
    }
  }

  /** From these positions on this query counts. */
  record Segment(long[] from, int query) {}

  private final List<List<Event>> partitions = new ArrayList<>();
  private final Layout layout;
  private final int held;
  private long number;

  ModelEvents(Layout layout, int held) {
    this.layout = layout;
    this.held = held;
    for (int i = 0; i < PARTITIONS; i++) {
      partitions.add(new ArrayList<>());
    }
  }

  static boolean counts(int query, Event event) {
    return query == 0 || event.number % (query + 1) != 0;
  }

  void add(int partition, String entity, long tileMs) {
    number++;
    partitions.get(partition).add(new Event(entity, tileMs, number));
  }

  /** Returns the first offset that the topic still holds. */
  long beginning(int partition) {
    return Math.max(0, end(partition) - held);
  }

  long end(int partition) {
    return partitions.get(partition).size();
  }

  long[] ends() {
    long[] ends = new long[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++) {
      ends[i] = end(i);
    }
    return ends;
  }

  Event at(int partition, long offset) {
    return partitions.get(partition).get((int) offset);
  }

  /** Returns all rows that should be there once everything below these positions is counted. */
  Map<String, Map<TileKey, byte[]>> recount(long[] positions, List<Segment> segments, Clock clock) {
    return rows(changes(positions, segments), clock);
  }

  /** Returns what the events below these positions change, by entity. */
  Map<String, Changes> changes(long[] positions, List<Segment> segments) {
    Map<String, Changes> changes = new TreeMap<>();
    for (int partition = 0; partition < PARTITIONS; partition++) {
      for (long offset = 0; offset < positions[partition]; offset++) {
        Event event = at(partition, offset);
        if (counts(query(segments, partition, offset), event)) {
          changes
              .computeIfAbsent(event.entity, entity -> new Changes(layout))
              .add(true, event.tileMs, event);
        }
      }
    }
    return changes;
  }

  /** Returns the rows of entities that these changes are all of. */
  Map<String, Map<TileKey, byte[]>> rows(Map<String, Changes> changes, Clock clock) {
    Map<String, Map<TileKey, byte[]>> rows = new TreeMap<>();
    changes.forEach((entity, all) -> rows.put(entity, rows(all, clock)));
    return rows;
  }

  private Map<TileKey, byte[]> rows(Changes changes, Clock clock) {
    Map<TileKey, byte[]> rows = new TreeMap<>();
    Head head = Head.empty(layout);
    head.apply(changes, Map.of())
        .forEach(
            tile -> {
              if (layout.ttlSeconds(tile.key(), clock.nowMs()) > 0) {
                rows.put(tile.key(), tile.row());
              }
            });
    rows.put(TileStore.HEAD, head.encode());
    return rows;
  }

  private static int query(List<Segment> segments, int partition, long offset) {
    int query = 0;
    for (Segment segment : segments) {
      query = segment.from[partition] <= offset ? segment.query : query;
    }
    return query;
  }
}
