package io.featureplatform.kernel.flink.tiles;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.state.api.OperatorIdentifier;
import org.apache.flink.state.api.SavepointReader;
import org.apache.flink.state.api.functions.KeyedStateReaderFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.Collector;

/**
 * Prints the head rows of some entities as a checkpoint or savepoint holds them, in a process of
 * its own: no job is asked, and none is stopped.
 *
 * <p>Arguments: the checkpoint's address, the state backend that wrote it, the time to live of the
 * state in milliseconds, and a file of entities, one a line, each as hexadecimal UTF-8. Printed are
 * lines {@code head <entity> <row>}, both hexadecimal, and {@code end} as the last.
 */
public final class StateReader {
  private StateReader() {}

  /** Reads one checkpoint. */
  public static void main(String[] args) throws Exception {
    Set<String> wanted = new LinkedHashSet<>();
    for (String line : Files.readAllLines(Path.of(args[3]))) {
      wanted.add(new String(HexFormat.of().parseHex(line), StandardCharsets.UTF_8));
    }
    Configuration options = new Configuration();
    options.set(StateBackendOptions.STATE_BACKEND, args[1]);
    StreamExecutionEnvironment environment =
        StreamExecutionEnvironment.createLocalEnvironment(1, options);
    try (CloseableIterator<Tuple2<String, byte[]>> heads =
        SavepointReader.read(environment, args[0])
            .readKeyedState(
                OperatorIdentifier.forUid(Kernel.UID),
                new HeadReader(wanted, Long.parseLong(args[2])),
                Types.STRING,
                Types.TUPLE(Types.STRING, Types.PRIMITIVE_ARRAY(Types.BYTE)))
            .filter(head -> head.f1.length > 0)
            .executeAndCollect()) {
      while (heads.hasNext()) {
        Tuple2<String, byte[]> head = heads.next();
        byte[] entity = head.f0.getBytes(StandardCharsets.UTF_8);
        HexFormat hex = HexFormat.of();
        System.out.println("head " + hex.formatHex(entity) + " " + hex.formatHex(head.f1));
      }
    }
    System.out.println("end");
  }

  /** Returns the heads of some entities; those of others are not decoded. */
  private static final class HeadReader
      extends KeyedStateReaderFunction<String, Tuple2<String, byte[]>> {
    private static final long serialVersionUID = 1;

    /** A key for which nothing is collected would become a null record, which no sink takes. */
    private static final Tuple2<String, byte[]> NOTHING = Tuple2.of("", new byte[0]);

    private final LinkedHashSet<String> wanted;
    private final long ttlMs;
    private transient ValueState<byte[]> state;

    HeadReader(Set<String> wanted, long ttlMs) {
      this.wanted = new LinkedHashSet<>(wanted);
      this.ttlMs = ttlMs;
    }

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(HeadState.descriptor(ttlMs));
    }

    @Override
    public void readKey(String entity, Context context, Collector<Tuple2<String, byte[]>> out)
        throws Exception {
      byte[] head = wanted.contains(entity) ? HeadState.decoded(entity, state.value()) : null;
      out.collect(head == null ? NOTHING : Tuple2.of(entity, head));
    }
  }
}
