#!/bin/sh
# Flink 2.3.0: SQL's connector for savepoints refuses incremental checkpoints of RocksDB.
#
# Guess: `'connector' = 'savepoint'` reads whatever the state processor API reads: it is part of it.
# Seen:  of an incremental checkpoint it says `Unsupported KeyedStateHandle type: class ...
#        IncrementalRemoteKeyedStateHandle` while it plans the query. `SavepointReader` reads the
#        same checkpoint.
# So:    kernel/.../flink/tiles/StateReader.java reads checkpoints by `SavepointReader`, in Java.
#
# Output: SavepointReader: 3 keys
#         SQL: Unsupported KeyedStateHandle type: class ...IncrementalRemoteKeyedStateHandle
#
# Needs JDK 17 and Maven, and takes half a minute.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId>
  <artifactId>findings</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.flink</groupId>
      <artifactId>flink-clients</artifactId>
      <version>2.3.0</version>
    </dependency>
    <dependency>
      <groupId>org.apache.flink</groupId>
      <artifactId>flink-statebackend-rocksdb</artifactId>
      <version>2.3.0</version>
    </dependency>
    <dependency>
      <groupId>org.apache.flink</groupId>
      <artifactId>flink-state-processor-api</artifactId>
      <version>2.3.0</version>
    </dependency>
    <dependency>
      <groupId>org.apache.flink</groupId>
      <artifactId>flink-table-planner_2.12</artifactId>
      <version>2.3.0</version>
    </dependency>
    <dependency>
      <groupId>org.apache.flink</groupId>
      <artifactId>flink-table-runtime</artifactId>
      <version>2.3.0</version>
    </dependency>
  </dependencies>
</project>
END
cat > Seen.java <<'END'
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.state.api.OperatorIdentifier;
import org.apache.flink.state.api.SavepointReader;
import org.apache.flink.state.api.functions.KeyedStateReaderFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.util.Collector;

public class Seen {
  static final ValueStateDescriptor<Integer> SEEN = new ValueStateDescriptor<>("n", Types.INT);

  public static void main(String[] args) throws Exception {
    String checkpoint = checkpoint(Path.of(args[0]));
    int keys = 0;
    try (var rows = read(checkpoint, true).executeAndCollect()) {
      for (; rows.hasNext(); rows.next()) {
        keys++;
      }
    }
    System.out.println("SavepointReader: " + keys + " keys");
    var tables =
        StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(1));
    tables.executeSql(
        "CREATE TABLE keeper (k INT, n INT, PRIMARY KEY (k) NOT ENFORCED) WITH ("
            + "'connector' = 'savepoint', 'state.backend.type' = 'rocksdb', "
            + "'state.path' = '" + checkpoint + "', 'operator.uid' = 'keeper')");
    try (var rows = tables.executeSql("SELECT k, n FROM keeper").collect()) {
      rows.forEachRemaining(row -> System.out.println("SQL: " + row));
    } catch (Exception error) {
      System.out.println("SQL: " + cause(error));
    }
    System.exit(0);
  }

  /** Runs a job with a state of three keys until it has made a checkpoint. */
  static String checkpoint(Path folder) throws Exception {
    Files.createDirectories(folder);
    Configuration options = new Configuration();
    options.setString("state.backend.type", "rocksdb");
    options.setString("execution.checkpointing.incremental", "true");
    options.setString("execution.checkpointing.interval", "500 ms");
    options.setString("execution.checkpointing.dir", folder.toUri().toString());
    options.setString(
        "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    var environment = StreamExecutionEnvironment.createLocalEnvironment(1, options);
    environment
        .fromSequence(0, Long.MAX_VALUE - 1)
        .map(n -> (int) (n % 3))
        .returns(Types.INT)
        .keyBy(n -> n)
        .process(new Keeper())
        .uid("keeper")
        .print();
    var job = environment.executeAsync();
    while (newest(folder).isEmpty()) {
      Thread.sleep(200);
    }
    var ended = job.getJobExecutionResult().handle((result, error) -> "cancelled");
    job.cancel().get();
    ended.get();
    return newest(folder);
  }

  static String newest(Path folder) {
    try (Stream<Path> found = Files.walk(folder)) {
      return found
          .filter(path -> path.endsWith("_metadata"))
          .map(path -> path.getParent().toString())
          .findFirst()
          .orElse("");
    } catch (java.io.IOException | java.io.UncheckedIOException gone) {
      return ""; // a checkpoint was deleted meanwhile
    }
  }

  /** Returns what the state processor API reads of the state. */
  static DataStream<Integer> read(String checkpoint, boolean all) throws Exception {
    Configuration options = new Configuration();
    options.setString("state.backend.type", "rocksdb");
    var environment = StreamExecutionEnvironment.createLocalEnvironment(1, options);
    return SavepointReader.read(environment, checkpoint)
        .readKeyedState(OperatorIdentifier.forUid("keeper"), new Reader(all), Types.INT, Types.INT);
  }

  static String cause(Throwable error) {
    return error.getCause() == null ? error.getMessage() : cause(error.getCause());
  }

  static class Keeper extends KeyedProcessFunction<Integer, Integer, Integer> {
    transient ValueState<Integer> seen;

    @Override
    public void open(OpenContext context) {
      seen = getRuntimeContext().getState(SEEN);
    }

    @Override
    public void processElement(Integer n, Context context, Collector<Integer> out)
        throws Exception {
      seen.update(1);
    }
  }

  /** Collects the state of all keys, or of all but 1. */
  static class Reader extends KeyedStateReaderFunction<Integer, Integer> {
    final boolean all;
    transient ValueState<Integer> seen;

    Reader(boolean all) {
      this.all = all;
    }

    @Override
    public void open(OpenContext context) {
      seen = getRuntimeContext().getState(SEEN);
    }

    @Override
    public void readKey(Integer key, Context context, Collector<Integer> out) throws Exception {
      if (all || key != 1) {
        out.collect(seen.value());
      }
    }
  }
}
END
java=${JAVA_HOME:+$JAVA_HOME/bin/}
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath -Dmdep.outputFile=jars > log
"${java}javac" -cp "$(cat jars)" Seen.java
if ! "${java}java" -cp ".:$(cat jars)" Seen "$folder/checkpoints" > seen 2> log; then
  cat log
  exit 1
fi
seen=$(cat seen)
echo "$seen"
echo "$seen" | grep -q '^SavepointReader: 3 keys$'
echo "$seen" | grep -q '^SQL: Unsupported KeyedStateHandle type: .*IncrementalRemoteKeyedStateHandle$'
