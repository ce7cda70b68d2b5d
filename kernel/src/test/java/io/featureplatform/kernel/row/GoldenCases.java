package io.featureplatform.kernel.row;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;

/** What the golden files hold: the edges by name, then many tiles from a fixed seed. */
final class GoldenCases {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long TIME_MS = 1_700_000_000_000L;
  private static final int RANDOM_TILES = 40;

  private GoldenCases() {}

  static List<ObjectNode> tiles() {
    List<ObjectNode> cases = new ArrayList<>();
    cases.add(tile("empty", content()));
    cases.add(tile("one event", counters(0, 1)));
    cases.add(tile("a minimum of zero stays", counters(0, 2, 3, 0)));
    cases.add(
        tile(
            "varint edges",
            counters(0, 63, 1, 64, 127, -64, 128, -65, 16_383, 8_191, 16_384, 8_192)));
    cases.add(
        tile("int64 edges", counters(5, Long.MAX_VALUE, 6, Long.MIN_VALUE, Integer.MAX_VALUE, -1)));
    cases.add(tile("a text", feature(content(), 7, "text", item(TIME_MS, 0, 0, "en"))));
    cases.add(tile("an empty text", feature(content(), 0, "text", item(0, 0, 0, ""))));
    cases.add(
        tile("more than ASCII", feature(content(), 7, "text", item(TIME_MS, 3, 9, "zażółć 😀"))));
    cases.add(
        tile(
            "reals",
            feature(
                content(),
                9,
                "real",
                item(TIME_MS, 1, 5, 0.1),
                item(TIME_MS, 1, 4, -1e300),
                item(TIME_MS, 1, 3, 0.0),
                item(TIME_MS, 1, 2, -0.0),
                item(TIME_MS, 1, 1, Double.MIN_VALUE))));
    cases.add(
        tile(
            "newest first by time, partition, offset",
            feature(
                counters(0, 6),
                200,
                "int",
                item(TIME_MS + 5, 0, 1, 60),
                item(TIME_MS, 2, 0, 50),
                item(TIME_MS, 1, 300, -40),
                item(TIME_MS, 1, 299, 0),
                item(TIME_MS, 0, 1_000_000, Long.MAX_VALUE),
                item(0, 0, 1L << 50, Long.MIN_VALUE))));
    ObjectNode several = feature(counters(0, 3, 2, 9), 1, "text", item(TIME_MS, 0, 2, "de"));
    feature(several, 300, "int", item(TIME_MS, 0, 2, 12));
    cases.add(tile("counters and features", feature(several, 70_000, "real", item(1, 0, 1, 2.5))));
    Random random = new Random(7);
    for (int i = 0; i < RANDOM_TILES; i++) {
      cases.add(tile("random " + i, randomTile(random)));
    }
    return cases;
  }

  static List<ObjectNode> heads() {
    List<ObjectNode> cases = new ArrayList<>();
    cases.add(head("empty"));
    cases.add(head("lifetime alone", placed(6, 0, counters(0, 12))));
    cases.add(head("level and start of zero, no row", placed(0, 0, content())));
    cases.add(
        head(
            "every level",
            placed(0, TIME_MS - 120_000, counters(0, 1)),
            placed(0, TIME_MS, counters(0, 2, 1, 5)),
            placed(1, TIME_MS - 200_000, counters(0, 3, 1, 5)),
            placed(5, TIME_MS - 800_000, counters(0, 3, 1, 5)),
            placed(6, 0, feature(counters(0, 3), 4, "text", item(TIME_MS, 0, 8, "en")))));
    Random random = new Random(8);
    for (int i = 0; i < 10; i++) {
      List<ObjectNode> tiles = new ArrayList<>();
      for (int level = 0; level < 7; level++) {
        tiles.add(placed(level, level == 6 ? 0 : random.nextLong(1L << 41), randomTile(random)));
      }
      cases.add(head("random " + i, tiles.toArray(ObjectNode[]::new)));
    }
    return cases;
  }

  /** Each with the key that its place in the store gives; rows as hex, null for absent. */
  static List<ObjectNode> undo() {
    List<ObjectNode> cases = new ArrayList<>();
    cases.add(undo("nothing", 1, 1, 1));
    cases.add(undo("the entity was new", 1, 1, 1, before(-1, 0, null)));
    cases.add(undo("an empty row is a row", 1, 2, 1, before(-1, 0, "")));
    cases.add(
        undo(
            "a tile left the head",
            3,
            17,
            2,
            before(-1, 0, "0a021206"),
            before(0, TIME_MS - 120_000, null),
            before(5, TIME_MS, "0a")));
    cases.add(undo("level and start of zero", 4, 1, 9, before(0, 0, "ff")));
    cases.add(
        undo(
            "the largest key",
            (1 << 20) - 1,
            (1 << 27) - 1,
            (1 << 16) - 1,
            before(6, -(1L << 53), "00"),
            before(6, 1L << 53, null)));
    return cases;
  }

  private static ObjectNode undo(
      String name, int attempt, long checkpointId, int sequence, ObjectNode... entries) {
    ObjectNode line = JSON.createObjectNode().put("name", name).put("attempt", attempt);
    line.put("checkpoint_id", checkpointId).put("sequence", sequence);
    line.set("entries", JSON.createArrayNode().addAll(List.of(entries)));
    return line;
  }

  private static ObjectNode before(int level, long startMs, String row) {
    return JSON.createObjectNode().put("level", level).put("start_ms", startMs).put("row", row);
  }

  private static ObjectNode tile(String name, ObjectNode content) {
    ObjectNode line = JSON.createObjectNode().put("name", name);
    line.set("tile", content);
    return line;
  }

  private static ObjectNode head(String name, ObjectNode... tiles) {
    ObjectNode line = JSON.createObjectNode().put("name", name);
    line.putObject("head").putArray("tiles").addAll(List.of(tiles));
    return line;
  }

  private static ObjectNode placed(int level, long startMs, ObjectNode content) {
    ObjectNode tile = JSON.createObjectNode().put("level", level).put("start_ms", startMs);
    tile.set("tile", content);
    return tile;
  }

  private static ObjectNode content() {
    ObjectNode content = JSON.createObjectNode();
    content.putObject("counters");
    content.putObject("features");
    return content;
  }

  private static ObjectNode counters(long... idsAndValues) {
    ObjectNode content = content();
    for (int i = 0; i < idsAndValues.length; i += 2) {
      content.withObject("/counters").put(Long.toString(idsAndValues[i]), idsAndValues[i + 1]);
    }
    return content;
  }

  private static Object[] item(long timeMs, int partition, long offset, Object value) {
    return new Object[] {timeMs, partition, offset, value};
  }

  private static ObjectNode feature(ObjectNode content, int id, String carrier, Object[]... items) {
    ObjectNode feature = content.withObject("/features").putObject(Integer.toString(id));
    feature.put("carrier", carrier);
    for (Object[] item : items) {
      feature.withArray("/items").add(JSON.valueToTree(item));
    }
    return content;
  }

  private static ObjectNode randomTile(Random random) {
    ObjectNode content = content();
    int id = -1;
    for (int i = random.nextInt(12); i > 0; i--) {
      id += 1 + random.nextInt(random.nextInt(4) == 0 ? 1_000 : 3);
      long value = random.nextLong() >> random.nextInt(64);
      content.withObject("/counters").put(Integer.toString(id), value);
    }
    for (int i = random.nextInt(3); i > 0; i--) {
      id += 1 + random.nextInt(200);
      randomFeature(content, id, random);
    }
    return content;
  }

  private static void randomFeature(ObjectNode content, int id, Random random) {
    String carrier = List.of("int", "real", "text").get(random.nextInt(3));
    TreeSet<Long> offsets = new TreeSet<>();
    for (int i = random.nextInt(8); i >= 0; i--) {
      offsets.add(random.nextLong(1L << (1 + random.nextInt(40))));
    }
    List<Object[]> items = new ArrayList<>();
    for (long offset : offsets.descendingSet()) {
      Object value =
          switch (carrier) {
            case "int" -> random.nextLong() >> random.nextInt(64);
            case "real" -> random.nextGaussian();
            default -> "v" + random.nextInt(1_000);
          };
      items.add(item(offset / 3, (int) (offset % 3), offset, value));
    }
    items.sort(
        (a, b) -> {
          int order = Long.compare((Long) b[0], (Long) a[0]);
          order = order == 0 ? Integer.compare((Integer) b[1], (Integer) a[1]) : order;
          return order == 0 ? Long.compare((Long) b[2], (Long) a[2]) : order;
        });
    feature(content, id, carrier, items.toArray(Object[][]::new));
  }
}
