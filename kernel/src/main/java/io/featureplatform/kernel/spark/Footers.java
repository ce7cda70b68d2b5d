package io.featureplatform.kernel.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.column.statistics.LongStatistics;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;

/** What the footers of Parquet files say, so that their records need not be read. */
public final class Footers {
  private Footers() {}

  /**
   * Returns the least and the greatest value of a column of int64 in some files.
   *
   * @return null if no file has a value, or one does not say which
   */
  public static long[] span(List<Path> files, Configuration conf, String column) {
    Span whole = new Span();
    files.parallelStream().map(file -> of(file, conf, column)).forEach(whole::add);
    return whole.isKnown && whole.first <= whole.last
        ? new long[] {whole.first, whole.last}
        : null;
  }

  private static Span of(Path file, Configuration conf, String column) {
    Span span = new Span();
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(file, conf))) {
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        for (ColumnChunkMetaData chunk : block.getColumns()) {
          if (chunk.getPath().toDotString().equals(column)) {
            span.add(chunk);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return span;
  }

  /** The values so far. Mutable, and safe between threads. */
  private static final class Span {
    private long first = Long.MAX_VALUE;
    private long last = Long.MIN_VALUE;
    private boolean isKnown = true;

    synchronized void add(Span other) {
      first = Math.min(first, other.first);
      last = Math.max(last, other.last);
      isKnown &= other.isKnown;
    }

    void add(ColumnChunkMetaData chunk) {
      if (chunk.getStatistics() instanceof LongStatistics found && found.hasNonNullValue()) {
        first = Math.min(first, found.getMin());
        last = Math.max(last, found.getMax());
        return;
      }
      var found = chunk.getStatistics();
      isKnown &= found != null && found.getNumNulls() == chunk.getValueCount();
    }
  }
}
