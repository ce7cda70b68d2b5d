package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.Watch;
import io.featureplatform.kernel.tile.Changes;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.types.RowKind;

/** Keeps what changelogs send, and reads it. */
public final class LoggedCommands {
  static final Watch ALL = new Watch(1, Watch.Mode.ALL, 1, Set.of());

  /** A row of a block; a value is null, a Long or a byte[]. */
  record Logged(
      Epoch epoch,
      long flush,
      int subtask,
      long seq,
      long atMs,
      int kind,
      String entity,
      long tileMs,
      List<Object> values)
      implements CommandValues {
    @Override
    public boolean isNull(int column) {
      return values.get(column) == null;
    }

    @Override
    public long int64(int column) {
      return (Long) values.get(column);
    }

    @Override
    public byte[] bytes(int column) {
      return (byte[]) values.get(column);
    }
  }

  private final List<byte[]> blocks = new ArrayList<>();
  private Watch watch = ALL;
  private boolean down;
  private long lost;

  /** What is watched from the next look on. */
  void watch(Watch next) {
    watch = next;
  }

  /** From now on nothing arrives, or does again. */
  void setDown(boolean down) {
    this.down = down;
  }

  /** Returns a changelog of a subtask to which all entities belong. */
  public Changelog changelog(Layout layout, Clock clock, int attempt, int subtask) {
    return changelog(layout, clock, new Changelog.Owner(attempt, subtask, entity -> true));
  }

  Changelog changelog(Layout layout, Clock clock, Changelog.Owner owner) {
    return new Changelog(
        layout,
        clock,
        owner,
        watch,
        known -> CompletableFuture.completedFuture(watch),
        sender(),
        new UnregisteredMetricsGroup());
  }

  /** Returns what sends here. */
  ChangeSender sender() {
    return new ChangeSender() {
      @Override
      public void send(ChangeBlock block) {
        if (down) {
          lost += block.count();
        } else {
          blocks.add(block.rows());
        }
      }

      @Override
      public void flush() {
        // It has arrived.
      }

      @Override
      public long lost() {
        return lost;
      }

      @Override
      public void close() {
        // What has arrived stays.
      }
    };
  }

  /** Adds the commands of some epochs to what changes entities. */
  public void addTo(Map<String, Changes> changes, Layout layout, Predicate<Epoch> counts) {
    for (Logged row : rows(layout)) {
      if (row.kind() < ChangeBlock.BARRIER && counts.test(row.epoch())) {
        RowKind kind = RowKind.fromByteValue((byte) row.kind());
        changes
            .computeIfAbsent(row.entity(), entity -> new Changes(layout))
            .add(kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER, row.tileMs(), row);
      }
    }
  }

  /** Returns all rows in the order in which they were sent. */
  List<Logged> rows(Layout layout) {
    List<Logged> rows = new ArrayList<>();
    for (byte[] block : blocks) {
      ByteBuffer from = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
      while (from.hasRemaining()) {
        rows.add(row(from, layout));
      }
    }
    return rows;
  }

  private static Logged row(ByteBuffer from, Layout layout) {
    int attempt = from.getInt();
    return new Logged(
        new Epoch(attempt, from.getLong()),
        from.getLong(),
        from.getInt(),
        from.getLong(),
        from.getLong(),
        from.get(),
        new String(text(from), StandardCharsets.UTF_8),
        from.getLong(),
        values(from, layout));
  }

  private static List<Object> values(ByteBuffer from, Layout layout) {
    List<Object> values = new ArrayList<>();
    for (var column : layout.columns()) {
      if (from.get() == 1) {
        values.add(null);
      } else {
        values.add(ChangeBlock.isNumber(column) ? (Object) from.getLong() : text(from));
      }
    }
    return values;
  }

  private static byte[] text(ByteBuffer from) {
    int length = 0;
    int shift = 0;
    int next;
    do {
      next = from.get();
      length |= (next & 0x7F) << shift;
      shift += 7;
    } while (next < 0);
    byte[] text = new byte[length];
    from.get(text);
    return text;
  }
}
