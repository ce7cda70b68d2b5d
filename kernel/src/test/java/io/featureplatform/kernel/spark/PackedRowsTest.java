package io.featureplatform.kernel.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;

class PackedRowsTest {
  /** As {@code test_spark_request.py} reads it. */
  private static final String TWO_ROWS =
      "ffffffff"
          + "0000000000000000"
          + "00000002"
          + "00ff"
          + "00000002"
          + "000000000000ea60"
          + "00000000";

  @Test
  void rowsOfAnEntityAreOne() {
    PackedRows packed =
        new PackedRows(
            List.of(
                    row("a", -1, 0, (byte) 0, (byte) 0xff),
                    row("a", 2, 60_000),
                    row("b", -1, 0, (byte) 7))
                .iterator());
    List<String> found = new ArrayList<>();
    packed.forEachRemaining(
        each ->
            found.add(each.getUTF8String(0) + " " + HexFormat.of().formatHex(each.getBinary(1))));
    assertEquals(
        List.of("a " + TWO_ROWS, "b " + "ffffffff" + "0000000000000000" + "00000001" + "07"),
        found);
  }

  @Test
  void nothingGivesNothing() {
    PackedRows packed = new PackedRows(List.<InternalRow>of().iterator());
    assertFalse(packed.hasNext());
    assertThrows(NoSuchElementException.class, packed::next);
  }

  private static InternalRow row(String entity, int level, long startMs, byte... payload) {
    return new GenericInternalRow(
        new Object[] {UTF8String.fromString(entity), level, startMs, payload});
  }
}
