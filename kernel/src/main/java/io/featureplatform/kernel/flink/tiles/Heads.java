package io.featureplatform.kernel.flink.tiles;

/**
 * The heads of this subtask's entities, each as its encoded row: the state of the job. An entity
 * may leave at any time after its last write was acknowledged; the store has what it was.
 */
interface Heads {
  /** Returns an entity's head row; null: it is not here, the store must be asked. */
  byte[] get(String entity) throws Exception;

  /** Puts an entity's head row; the bytes are not changed afterwards. */
  void put(String entity, byte[] headRow) throws Exception;
}
