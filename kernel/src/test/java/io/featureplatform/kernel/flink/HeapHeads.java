package io.featureplatform.kernel.flink;

import java.util.Map;
import java.util.TreeMap;

/** The state of a subtask in heap. */
final class HeapHeads implements Heads {
  final Map<String, byte[]> rows = new TreeMap<>();

  @Override
  public byte[] get(String entity) {
    return rows.get(entity);
  }

  @Override
  public void put(String entity, byte[] headRow) {
    rows.put(entity, headRow);
  }
}
