package io.featureplatform.kernel.event;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** What other programs put around an event, or send instead of JSON. */
final class Framing {
  /** Length of the mark and the schema's id that serializers of a schema registry write. */
  static final int REGISTRY_BYTES = 5;

  private static final int GLUE_BYTES = 18;
  private static final int CONTROL_LOOK_MAX = 256;

  private static final String COMPRESSED =
      " compressed by the producer; send plain JSON and set Kafka's compression.type instead";
  private static final String NOT_JSON = "; this source reads JSON";

  /** Beginnings, as bytes of ISO 8859-1, and what they are of. */
  private static final Map<String, String> BEGINNINGS = new LinkedHashMap<>();

  static {
    BEGINNINGS.put("\u00ef\u00bb\u00bf", "starts with a UTF-8 byte order mark; remove it");
    String utf16 = "looks like UTF-16 or UTF-32; send UTF-8";
    for (String mark :
        new String[] {
          "\u00ff\u00fe", "\u00fe\u00ff", "{\0", "[\0", "\0{\0", "\0[\0", "\0\0\0{", "\0\0\0["
        }) {
      BEGINNINGS.put(mark, utf16);
    }
    BEGINNINGS.put("\u001f\u008b", "looks like gzip:" + COMPRESSED);
    BEGINNINGS.put("(\u00b5/\u00fd", "looks like zstd:" + COMPRESSED);
    BEGINNINGS.put("\u0004\"M\u0018", "looks like lz4:" + COMPRESSED);
    BEGINNINGS.put("\u0082SNAPPY", "looks like snappy:" + COMPRESSED);
    BEGINNINGS.put("\u00ff\u0006\0\0sNaPpY", "looks like snappy:" + COMPRESSED);
    BEGINNINGS.put("BZh", "looks like bzip2:" + COMPRESSED);
    BEGINNINGS.put("PK\u0003\u0004", "looks like zip:" + COMPRESSED);
    for (String level : new String[] {"x\u0001", "x^", "x\u009c", "x\u00da"}) {
      BEGINNINGS.put(level, "looks like zlib:" + COMPRESSED);
    }
    BEGINNINGS.put("Obj\u0001", "looks like an Avro file" + NOT_JSON);
    BEGINNINGS.put("\u00c3\u0001", "looks like Avro" + NOT_JSON);
    BEGINNINGS.put("PAR1", "looks like a Parquet file" + NOT_JSON);
    BEGINNINGS.put("\u00ac\u00ed\0\u0005", "looks like a serialized Java object" + NOT_JSON);
    for (int version = 2; version <= 5; version++) {
      String mark = "\u0080" + (char) version;
      BEGINNINGS.put(mark, "looks like a Python pickle" + NOT_JSON);
    }
    BEGINNINGS.put("<", "looks like XML or HTML" + NOT_JSON);
  }

  private Framing() {}

  /**
   * Returns the JSON of a value: without the five bytes that a schema registry's serializer writes
   * in front, if an object follows them.
   */
  static byte[] payload(byte[] value) {
    if (value.length <= REGISTRY_BYTES || value[0] != 0) {
      return value;
    }
    int at = REGISTRY_BYTES;
    while (at < value.length && isSpace(value[at])) {
      at++;
    }
    return at < value.length && value[at] == '{'
        ? Arrays.copyOfRange(value, REGISTRY_BYTES, value.length)
        : value;
  }

  /**
   * Says for a person what the bytes look like that are no JSON; null if they look like nothing.
   */
  static String describe(byte[] value) {
    int length = Math.min(value.length, CONTROL_LOOK_MAX);
    String head = new String(value, 0, length, ISO_8859_1);
    for (Map.Entry<String, String> beginning : BEGINNINGS.entrySet()) {
      if (head.startsWith(beginning.getKey())) {
        return beginning.getValue();
      }
    }
    if (value.length > REGISTRY_BYTES && value[0] == 0) {
      return "starts with 00 and schema id "
          + ByteBuffer.wrap(value).getInt(1)
          + ", as schema registry serializers write it, but no JSON object follows; it looks like"
          + " Avro or Protobuf: use the registry's JSON Schema serializer in the producer, or"
          + " plain JSON";
    }
    if (value.length > GLUE_BYTES && value[0] == 3 && (value[1] == 0 || value[1] == 5)) {
      return "looks like the header of AWS Glue's schema"
          + " registry"
          + NOT_JSON
          + ", without this header";
    }
    boolean isText = head.isEmpty() || "{[\"".indexOf(head.charAt(0)) >= 0;
    boolean binary = head.chars().anyMatch(c -> c < ' ' && !isSpace((byte) c));
    return binary && !isText
        ? "looks binary, such as Avro, Protobuf, MessagePack or CBOR" + NOT_JSON
        : null;
  }

  private static boolean isSpace(byte b) {
    return b == ' ' || b == '\n' || b == '\r' || b == '\t';
  }
}
