package io.featureplatform.kernel.flink.tiles;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/** What the kernel's flushes report about themselves. Written by the task thread. */
final class KernelMetrics {
  final Counter flushes;
  final Counter commands;
  final Counter writtenRows;
  final Counter writtenBytes;
  final Counter readBackRows;
  final Counter undoRowsWritten;
  final Counter undoneRows;
  final Counter unresolvedRows;
  final Counter fenced;
  final Counter stateHits;
  final Counter stateMisses;
  private volatile long entities;
  private volatile long tookMs;

  KernelMetrics(MetricGroup group) {
    flushes = group.counter("flushes");
    commands = group.counter("commands");
    writtenRows = group.counter("written_rows");
    writtenBytes = group.counter("written_bytes");
    readBackRows = group.counter("read_back_rows");
    undoRowsWritten = group.counter("undo_rows_written");
    undoneRows = group.counter("undone_rows");
    unresolvedRows = group.counter("unresolved_rows");
    fenced = group.counter("fenced");
    stateHits = group.counter("state_hits");
    stateMisses = group.counter("state_misses");
    group.gauge("flush_entities", (Gauge<Long>) () -> entities);
    group.gauge("flush_ms", (Gauge<Long>) () -> tookMs);
  }

  void flushed(int flushCommands, long flushEntities, long flushTookMs) {
    flushes.inc();
    commands.inc(flushCommands);
    entities = flushEntities;
    tookMs = flushTookMs;
  }
}
