package io.featureplatform.kernel.flink.tiles;

import io.featureplatform.kernel.store.Clock;
import io.featureplatform.kernel.store.Registry;
import io.featureplatform.kernel.store.StoreDownException;
import io.featureplatform.kernel.store.Watch;
import io.featureplatform.kernel.tile.CommandValues;
import io.featureplatform.kernel.tile.Layout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.types.RowKind;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs the commands of watched entities, with attempt, checkpoint id and flush.
 *
 * <p>What is watched changes at barriers alone, so that an epoch's commands are logged whole or not
 * at all; a barrier passes only after what precedes it was acknowledged or is counted as lost. So
 * the commands of the epochs in a job's lineage add up to its rows, as those of an epoch that was
 * abandoned come again under the next attempt. Every row has a number: one that is lost leaves a
 * gap. For the thread of a task.
 */
final class Changelog implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Changelog.class);

  /** How often a job looks at what is to be watched. */
  static final long LOOK_MS = 5_000;

  private static final long FIRST_LOOK_MS = 10_000;

  /** A block is sent when it is as large as this. */
  static final int BLOCK_BYTES = 262_144;

  /** Of commands that wait for their flush, of one subtask; what comes beyond is lost. */
  static final long WAITING_BYTES_MAX = 67_108_864;

  private static final byte[] NO_ENTITY = {};
  private static final double BILLIONTHS = 1e9;

  /** Which subtask of an attempt logs, and which entities are its own. */
  record Owner(int attempt, int subtask, Predicate<String> own) {}

  private final Layout layout;
  private final Clock clock;
  private final Owner owner;
  private final Function<Watch, CompletionStage<Watch>> look;
  private final ChangeSender sender;
  private final Counter logged;
  private final RowBinary block = new RowBinary(BLOCK_BYTES + 4_096);
  private volatile Watch asked;
  private Watch watch = Watch.OFF;
  private long lookedMs;
  private long sequence;
  private int blockRows;
  private long waitingBytes;
  private long unheld;
  private volatile boolean warned;

  /**
   * Starts with what is to be watched now.
   *
   * @param look asks the registry what is to be watched, knowing what was
   */
  Changelog(
      Layout layout,
      Clock clock,
      Owner owner,
      Watch watch,
      Function<Watch, CompletionStage<Watch>> look,
      ChangeSender sender,
      MetricGroup metrics) {
    this.layout = layout;
    this.clock = clock;
    this.owner = owner;
    this.look = look;
    this.sender = sender;
    this.asked = watch;
    this.lookedMs = clock.nowMs();
    this.logged = metrics.counter("changelog_rows");
    metrics.gauge("changelog_version", (Gauge<Integer>) () -> this.watch.version());
    metrics.gauge("changelog_lost", (Gauge<Long>) () -> unheld + sender.lost());
  }

  /** Returns what is to be watched when a job starts; nothing if the registry does not say. */
  static Watch first(Registry registry) throws InterruptedException {
    try {
      return registry
          .watch(Watch.OFF)
          .toCompletableFuture()
          .get(FIRST_LOOK_MS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      LOG.warn("What is to be watched cannot be read; nothing is until it can", e);
      return Watch.OFF;
    }
  }

  /** Returns where an entity's commands of the next flush are kept; null if nobody watches it. */
  Commands begin(String entity) {
    return watch.wants(entity) ? new Commands(layout, entity) : null;
  }

  /** Keeps a command until its flush. */
  void add(Commands commands, RowKind kind, long tileMs, CommandValues values) {
    if (waitingBytes < WAITING_BYTES_MAX) {
      waitingBytes += commands.add(clock.nowMs(), kind, tileMs, values);
    } else {
      commands.drop();
    }
  }

  /** Logs the commands of a flush. */
  void flushed(List<Bundle.Entry> entries, long checkpointId, long flush) {
    if (!watch.isOn()) {
      return; // At a barrier, where it changes, nothing waits.
    }
    for (Bundle.Entry entry : entries) {
      Commands commands = entry.commands();
      if (commands != null) {
        waitingBytes -= commands.bytes();
        for (int i = 0; i < commands.count(); i++) {
          number(checkpointId, flush);
          commands.copy(i, block);
          written();
        }
        sequence += commands.dropped(); // A gap says so.
        unheld += commands.dropped();
      }
    }
    send();
  }

  /** Starts the first epoch of an attempt. */
  void begin(long checkpointId) {
    change(asked, checkpointId);
  }

  /** Ends the epoch of a checkpoint id, and begins the next with what is to be watched now. */
  void barrier(long checkpointId, long next) {
    if (watch.isOn()) {
      marker(checkpointId, ChangeBlock.BARRIER, NO_ENTITY, 0);
      send();
      sender.flush();
    }
    if (asked != watch) {
      change(asked, next);
    }
  }

  /** Looks at what is to be watched, now and then. Does not wait. */
  void look() {
    long now = clock.nowMs();
    if (now - lookedMs < LOOK_MS) {
      return;
    }
    lookedMs = now;
    var unused =
        look.apply(asked)
            .handle(
                (found, error) -> {
                  if (error == null) {
                    asked = found;
                  } else if (!warned && !(error instanceof StoreDownException)) {
                    warned = true;
                    LOG.warn("What is to be watched cannot be read; it stays as it was", error);
                  }
                  return null;
                });
  }

  @Override
  public void close() {
    sender.close();
  }

  private void change(Watch to, long checkpointId) {
    Watch from = watch;
    watch = to;
    if (shareOf(from) != shareOf(to)) {
      share(from, checkpointId, ChangeBlock.NOT_WATCHED);
      share(to, checkpointId, ChangeBlock.WATCHED);
    }
    named(from, to, checkpointId, ChangeBlock.NOT_WATCHED);
    named(to, from, checkpointId, ChangeBlock.WATCHED);
    send();
  }

  private void share(Watch of, long checkpointId, int kind) {
    if (shareOf(of) > 0) {
      marker(checkpointId, kind, NO_ENTITY, Math.round(shareOf(of) * BILLIONTHS));
    }
  }

  private static double shareOf(Watch watch) {
    return switch (watch.mode()) {
      case ALL -> 1;
      case SAMPLED -> watch.share();
      default -> 0;
    };
  }

  /** Logs which of the named entities of one are not of the other, if they are this subtask's. */
  private void named(Watch of, Watch other, long checkpointId, int kind) {
    for (String entity : namedBy(of)) {
      if (owner.own().test(entity) && !namedBy(other).contains(entity)) {
        marker(checkpointId, kind, entity.getBytes(StandardCharsets.UTF_8), 0);
      }
    }
  }

  private static Set<String> namedBy(Watch watch) {
    return watch.mode() == Watch.Mode.WATCHED || watch.mode() == Watch.Mode.SAMPLED
        ? watch.entities()
        : Set.of();
  }

  private void marker(long checkpointId, int kind, byte[] entity, long number) {
    number(checkpointId, 0);
    Commands.row(block, layout, clock.nowMs(), kind, entity, number, null);
    written();
  }

  private void number(long checkpointId, long flush) {
    block.int32(owner.attempt());
    block.int64(checkpointId);
    block.int64(flush);
    block.int32(owner.subtask());
    block.int64(sequence++);
  }

  private void written() {
    blockRows++;
    if (block.size() >= BLOCK_BYTES) {
      send();
    }
  }

  private void send() {
    if (blockRows > 0) {
      logged.inc(blockRows);
      sender.send(new ChangeBlock(block.take(), blockRows));
      blockRows = 0;
    }
  }
}
