package io.featureplatform.kernel.flink.tiles;

import java.time.Duration;
import java.util.Arrays;
import java.util.function.Consumer;
import org.apache.flink.api.common.state.KeyedStateStore;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;

/**
 * The heads of this subtask's entities in Flink's state, each a version byte and the head row.
 *
 * <p>The bytes are never changed once they are here, so a checkpoint may hold them while the next
 * flush makes new ones; and any reader of a savepoint can decode them.
 */
final class HeadState implements Heads {
  /** The only version so far; the head row itself may grow fields under it. */
  static final byte VERSION = 1;

  static final String NAME = "head";

  private final ValueState<byte[]> state;
  private final Consumer<String> setKey;

  /**
   * Registers the state.
   *
   * @param setKey makes an entity the current key
   * @param ttlMs how long after its last change an entity stays; 0: it never expires
   */
  HeadState(KeyedStateStore store, Consumer<String> setKey, long ttlMs) {
    this.state = store.getState(descriptor(ttlMs));
    this.setKey = setKey;
  }

  /** Describes the state: for the job, and for whoever reads its checkpoints. */
  static ValueStateDescriptor<byte[]> descriptor(long ttlMs) {
    ValueStateDescriptor<byte[]> descriptor =
        new ValueStateDescriptor<>(NAME, BytePrimitiveArraySerializer.INSTANCE);
    if (ttlMs > 0) {
      descriptor.enableTimeToLive(
          StateTtlConfig.newBuilder(Duration.ofMillis(ttlMs))
              .setUpdateType(StateTtlConfig.UpdateType.OnCreateAndWrite)
              .setStateVisibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
              .build());
    }
    return descriptor;
  }

  /** Returns the head row of an entity's state; null if there is none. */
  static byte[] decoded(String entity, byte[] bytes) {
    if (bytes == null) {
      return null;
    }
    if (bytes.length == 0 || bytes[0] != VERSION) {
      throw new IllegalStateException(
          "the state of entity %s has version %s, but this kernel reads version %d"
              .formatted(entity, bytes.length == 0 ? "none" : bytes[0], VERSION));
    }
    return Arrays.copyOfRange(bytes, 1, bytes.length);
  }

  @Override
  public byte[] get(String entity) throws Exception {
    setKey.accept(entity);
    return decoded(entity, state.value());
  }

  @Override
  public void put(String entity, byte[] headRow) throws Exception {
    byte[] bytes = new byte[1 + headRow.length];
    bytes[0] = VERSION;
    System.arraycopy(headRow, 0, bytes, 1, headRow.length);
    setKey.accept(entity);
    state.update(bytes);
  }
}
