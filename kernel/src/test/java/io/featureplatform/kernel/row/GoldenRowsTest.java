package io.featureplatform.kernel.row;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.featureplatform.kernel.store.Epoch;
import io.featureplatform.kernel.store.UndoKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Pins the bytes of rows to tests/golden/rows, which Python reads too; see the README there. */
class GoldenRowsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path DIRECTORY =
      Path.of(System.getProperty("golden.directory", "../tests/golden"), "rows");
  private static final boolean WRITE = Boolean.getBoolean("golden.write");

  /** Every tile of the golden file has the bytes written beside it, and no tile is missing. */
  @Test
  void tilesHaveTheGoldenBytes() throws IOException {
    List<ObjectNode> cases = GoldenCases.tiles();
    check("tiles.jsonl", cases, line -> encodeTile(line.get("tile")));
    for (ObjectNode line : cases) {
      byte[] bytes = HexFormat.of().parseHex(line.get("hex").textValue());
      assertArrayEquals(bytes, RowEncoder.encode(RowDecoder.decodeTile(bytes)));
    }
  }

  /** Every head of the golden file has the bytes written beside it, and no head is missing. */
  @Test
  void headsHaveTheGoldenBytes() throws IOException {
    List<ObjectNode> cases = GoldenCases.heads();
    check("heads.jsonl", cases, line -> encodeHead(line.get("head")));
    for (ObjectNode line : cases) {
      byte[] bytes = HexFormat.of().parseHex(line.get("hex").textValue());
      assertArrayEquals(bytes, RowEncoder.encode(RowDecoder.decodeHead(bytes)));
    }
  }

  /** Every undo row of the golden file has the bytes written beside it, and none is missing. */
  @Test
  void undoRowsHaveTheGoldenBytes() throws IOException {
    List<ObjectNode> cases = GoldenCases.undo();
    for (ObjectNode line : cases) {
      Epoch epoch =
          new Epoch(line.get("attempt").intValue(), line.get("checkpoint_id").longValue());
      line.put("start", UndoKey.start(epoch, line.get("sequence").intValue()));
    }
    check("undo.jsonl", cases, GoldenRowsTest::encodeUndo);
    for (ObjectNode line : cases) {
      byte[] bytes = HexFormat.of().parseHex(line.get("hex").textValue());
      assertArrayEquals(bytes, UndoRowCodec.encode(UndoRowCodec.decode(bytes)));
    }
  }

  private static byte[] encodeUndo(JsonNode line) {
    JsonNode entries = line.get("entries");
    int[] levels = new int[entries.size()];
    long[] startsMs = new long[entries.size()];
    byte[][] rows = new byte[entries.size()][];
    for (int i = 0; i < rows.length; i++) {
      JsonNode entry = entries.get(i);
      levels[i] = entry.get("level").intValue();
      startsMs[i] = entry.get("start_ms").longValue();
      rows[i] =
          entry.get("row").isNull() ? null : HexFormat.of().parseHex(entry.get("row").textValue());
    }
    return UndoRowCodec.encode(new UndoRow(levels, startsMs, rows));
  }

  private interface Encoding {
    byte[] encode(JsonNode line);
  }

  private static void check(String file, List<ObjectNode> cases, Encoding encoding)
      throws IOException {
    StringBuilder expected = new StringBuilder();
    for (ObjectNode line : cases) {
      line.put("hex", HexFormat.of().formatHex(encoding.encode(line)));
      expected.append(JSON.writeValueAsString(line)).append('\n');
    }
    Path path = DIRECTORY.resolve(file);
    if (WRITE) {
      Files.writeString(path, expected, UTF_8);
    }
    List<String> lines = Files.readAllLines(path, UTF_8);
    for (int i = 0; i < Math.min(lines.size(), cases.size()); i++) {
      assertEquals(JSON.writeValueAsString(cases.get(i)), lines.get(i));
      JsonNode read = JSON.readTree(lines.get(i));
      assertEquals(read.get("hex").textValue(), HexFormat.of().formatHex(encoding.encode(read)));
    }
    assertEquals(cases.size(), lines.size());
  }

  private static byte[] encodeHead(JsonNode head) {
    JsonNode tiles = head.get("tiles");
    int[] levels = new int[tiles.size()];
    long[] startsMs = new long[tiles.size()];
    byte[][] rows = new byte[tiles.size()][];
    for (int i = 0; i < rows.length; i++) {
      levels[i] = tiles.get(i).get("level").intValue();
      startsMs[i] = tiles.get(i).get("start_ms").longValue();
      rows[i] = encodeTile(tiles.get(i).get("tile"));
    }
    return RowEncoder.encode(new HeadRow(levels, startsMs, rows));
  }

  private static byte[] encodeTile(JsonNode tile) {
    List<Map.Entry<String, JsonNode>> counters = List.copyOf(tile.get("counters").properties());
    List<Map.Entry<String, JsonNode>> features = List.copyOf(tile.get("features").properties());
    return RowEncoder.encode(
        new TileRow(
            counters.stream().mapToInt(c -> Integer.parseInt(c.getKey())).toArray(),
            counters.stream().mapToLong(c -> c.getValue().longValue()).toArray(),
            features.stream().mapToInt(f -> Integer.parseInt(f.getKey())).toArray(),
            features.stream().map(f -> encodeFeature(f.getValue())).toArray(byte[][]::new)));
  }

  private static byte[] encodeFeature(JsonNode feature) {
    List<Item> items = new ArrayList<>();
    for (JsonNode item : (ArrayNode) feature.get("items")) {
      JsonNode value = item.get(3);
      Object carried =
          switch (feature.get("carrier").textValue()) {
            case "int" -> value.longValue();
            case "real" -> value.doubleValue();
            default -> value.textValue();
          };
      items.add(
          new Item(
              item.get(0).longValue(), item.get(1).intValue(), item.get(2).longValue(), carried));
    }
    return NaiveFeature.accumulate(items, FeatureMode.LAST_N, items.size()).toBytes();
  }
}
