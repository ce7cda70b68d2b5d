package io.featureplatform.kernel.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.featureplatform.kernel.row.ItemsState;
import org.junit.jupiter.api.Test;

class ItemsSerializerTest {
  /** Savepoints hold these names: under others, what is in them could not be restored. */
  @Test
  void namesThatSavepointsHoldStay() {
    ItemsSerializer serializer = new ItemsSerializer();
    String kernel = "io.featureplatform.kernel.";
    assertEquals(kernel + "flink.ItemsSerializer", serializer.getClass().getName());
    assertEquals(
        kernel + "flink.ItemsSerializer$Snapshot",
        serializer.snapshotConfiguration().getClass().getName());
    assertEquals(kernel + "row.ItemsState", ItemsState.class.getName());
  }
}
