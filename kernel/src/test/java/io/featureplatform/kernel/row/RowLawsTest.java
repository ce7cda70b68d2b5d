package io.featureplatform.kernel.row;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.featureplatform.kernel.row.proto.FeatureEntry;
import io.featureplatform.kernel.row.proto.FeatureValue;
import io.featureplatform.kernel.row.proto.FeaturesCombined;
import io.featureplatform.kernel.row.proto.FeaturesCombinedCompatible;
import io.featureplatform.kernel.row.proto.FeaturesCombinedLazy;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class RowLawsTest {
  /** A tile in the obvious form. */
  record Content(SortedMap<Integer, Long> counters, SortedMap<Integer, FeatureValue> features) {
    TileRow row() {
      return new TileRow(
          counters.keySet().stream().mapToInt(id -> id).toArray(),
          counters.values().stream().mapToLong(counter -> counter).toArray(),
          features.keySet().stream().mapToInt(id -> id).toArray(),
          features.values().stream().map(FeatureValue::toByteArray).toArray(byte[][]::new));
    }

    io.featureplatform.kernel.row.proto.TileRow message() {
      return io.featureplatform.kernel.row.proto.TileRow.newBuilder()
          .putAllFeatures(features)
          .addAllCounterIds(counters.keySet())
          .addAllCounters(counters.values())
          .build();
    }
  }

  /** A tile of a head in the obvious form. */
  record Placed(int level, long startMs, Content content) {}

  @Provide
  Arbitrary<SortedMap<Integer, FeatureValue>> features() {
    Arbitrary<FeatureValue> values =
        Arbitraries.longs()
            .list()
            .ofMaxSize(5)
            .map(
                offsets ->
                    NaiveFeature.message(
                        NaiveFeature.keep(
                            offsets.stream().map(o -> new Item(o, 1, o, "v" + o)).toList(),
                            FeatureMode.LAST_N,
                            5)));
    return Arbitraries.maps(ids(), values).ofMaxSize(6).map(TreeMap::new);
  }

  @Provide
  Arbitrary<Content> contents() {
    Arbitrary<Map<Integer, Long>> counters =
        Arbitraries.maps(ids(), Arbitraries.longs()).ofMaxSize(30);
    return Combinators.combine(counters, features())
        .as((counter, feature) -> new Content(new TreeMap<>(counter), feature));
  }

  @Provide
  Arbitrary<List<Placed>> heads() {
    Arbitrary<Integer> levels = Arbitraries.integers().between(0, 6);
    Arbitrary<Long> starts =
        Arbitraries.oneOf(Arbitraries.of(0L, 60_000L), Arbitraries.longs().between(0, 1L << 42));
    return Combinators.combine(levels, starts, contents())
        .as(Placed::new)
        .list()
        .uniqueElements(placed -> List.of(placed.level(), placed.startMs()))
        .ofMaxSize(20)
        .map(RowLawsTest::sorted);
  }

  private static Arbitrary<Integer> ids() {
    return Arbitraries.oneOf(
        Arbitraries.integers().between(0, 130), Arbitraries.integers().greaterOrEqual(0));
  }

  private static List<Placed> sorted(List<Placed> tiles) {
    List<Placed> sorted = new ArrayList<>(tiles);
    sorted.sort(
        (a, b) ->
            a.level() != b.level()
                ? a.level() - b.level()
                : Long.compare(a.startMs(), b.startMs()));
    return sorted;
  }

  /** A row has the bytes that protobuf writes for it, ids ascending. */
  @Property(tries = 300)
  void tileEqualsProtobuf(@ForAll("contents") Content content) {
    assertArrayEquals(content.message().toByteArray(), RowEncoder.encode(content.row()));
  }

  /** What is decoded is what was encoded. */
  @Property(tries = 300)
  void tileRoundTrip(@ForAll("contents") Content content) {
    TileRow expected = content.row();
    TileRow actual = RowDecoder.decodeTile(RowEncoder.encode(expected));
    assertArrayEquals(expected.counterIds(), actual.counterIds());
    assertArrayEquals(expected.counters(), actual.counters());
    assertArrayEquals(expected.featureIds(), actual.featureIds());
    assertArrayEquals(expected.features(), actual.features());
  }

  /** A head has protobuf's bytes and decodes to the same tiles. */
  @Property(tries = 60)
  void headEqualsProtobufAndRoundTrips(@ForAll("heads") List<Placed> tiles) {
    var message = io.featureplatform.kernel.row.proto.HeadRow.newBuilder();
    for (Placed tile : tiles) {
      message.addTiles(
          io.featureplatform.kernel.row.proto.Tile.newBuilder()
              .setLevel(tile.level())
              .setStartMs(tile.startMs())
              .setRow(tile.content().message().toByteString()));
    }
    HeadRow head =
        new HeadRow(
            tiles.stream().mapToInt(Placed::level).toArray(),
            tiles.stream().mapToLong(Placed::startMs).toArray(),
            tiles.stream().map(t -> RowEncoder.encode(t.content().row())).toArray(byte[][]::new));
    byte[] bytes = RowEncoder.encode(head);
    assertArrayEquals(message.build().toByteArray(), bytes);
    HeadRow decoded = RowDecoder.decodeHead(bytes);
    assertArrayEquals(head.levels(), decoded.levels());
    assertArrayEquals(head.startsMs(), decoded.startsMs());
    assertArrayEquals(head.rows(), decoded.rows());
  }

  /** The map, the list of entries and the list of encoded entries are the same bytes. */
  @Property(tries = 300)
  void threeReadingsOfTheLazyMapAreEqual(
      @ForAll("features") SortedMap<Integer, FeatureValue> features)
      throws InvalidProtocolBufferException {
    var map = FeaturesCombined.newBuilder().putAllFeatures(features).build();
    var entries = FeaturesCombinedCompatible.newBuilder();
    var lazy = FeaturesCombinedLazy.newBuilder();
    ByteArrayOutputStream concatenated = new ByteArrayOutputStream();
    features.forEach(
        (id, value) -> {
          FeatureEntry entry = FeatureEntry.newBuilder().setKey(id).setValue(value).build();
          entries.addFeatures(entry);
          lazy.addFeatures(entry.toByteString());
          concatenated.writeBytes(RowEncoder.encodeEntry(id, value.toByteArray()));
        });
    ByteString expected = map.toByteString();
    assertEquals(expected, entries.build().toByteString());
    assertEquals(expected, lazy.build().toByteString());
    assertEquals(expected, ByteString.copyFrom(concatenated.toByteArray()));
    assertEquals(
        expected,
        ByteString.copyFrom(RowEncoder.encode(new Content(new TreeMap<>(), features).row())));
    assertEquals(map, FeaturesCombined.parseFrom(lazy.build().toByteString()));
  }

  /** Rows of two halves of the features, joined, are the row of the whole. */
  @Property(tries = 200)
  void concatenationMerges(@ForAll("contents") Content content)
      throws InvalidProtocolBufferException {
    ByteString counters = new Content(content.counters(), new TreeMap<>()).message().toByteString();
    ByteString features = new Content(new TreeMap<>(), content.features()).message().toByteString();
    byte[] joined = features.concat(counters).toByteArray();
    assertArrayEquals(RowEncoder.encode(content.row()), joined);
  }

  /** Damaged rows are refused as such or read as another row; nothing else happens. */
  @Property(tries = 300)
  void damagedRowsAreRefused(@ForAll("contents") Content content, @ForAll Random random) {
    byte[] bytes = RowEncoder.encode(content.row());
    byte[] damaged = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
    if (damaged.length > 0) {
      damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
    }
    try {
      TileRow row = RowDecoder.decodeTile(damaged);
      assertEquals(row.counterIds().length, row.counters().length);
      RowDecoder.decodeHead(damaged);
    } catch (RowFormatException expected) {
      assertEquals(RowFormatException.class, expected.getClass());
    }
  }

  /** Nothing is left of a tile whose counters all went back to zero. */
  @Test
  void emptyTileHasNoBytes() {
    assertEquals(0, RowEncoder.encode(RowDecoder.decodeTile(new byte[0])).length);
  }

  /** Ids that do not ascend, counters without ids and unknown fields are refused. */
  @Test
  void whatNoEncoderWritesIsRefused() {
    byte[][] rows = {
      {0x12, 2, 5, 5, 0x1A, 2, 2, 2},
      {0x12, 2, 5, 4, 0x1A, 2, 2, 2},
      {0x1A, 1, 2},
      {0x12, 1, 5},
      {0x12, 1, 5, 0x1A, 2, 2, 2},
      {0x12, 0, 0x1A, 0},
      {0x22, 0},
      {0x0A, 2, 8, 1},
      {0x0A, 5, 8, 1, 18, 0, 0},
      {0x12, 1, (byte) 0x80, 0x1A, 1, 2},
      {0x12, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x0F},
    };
    for (byte[] row : rows) {
      assertThrows(RowFormatException.class, () -> RowDecoder.decodeTile(row));
    }
  }

  /** Tiles of a head must ascend by level and start. */
  @Test
  void unorderedHeadIsRefused() {
    int[] levels = {1, 0};
    long[] starts = {0, 0};
    byte[] head = RowEncoder.encode(new HeadRow(levels, starts, new byte[2][0]));
    assertThrows(RowFormatException.class, () -> RowDecoder.decodeHead(head));
  }
}
