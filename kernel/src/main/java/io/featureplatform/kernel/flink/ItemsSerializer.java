package io.featureplatform.kernel.flink;

import io.featureplatform.kernel.row.FeatureMode;
import io.featureplatform.kernel.row.ItemsState;
import java.io.IOException;
import java.util.List;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Writes an {@link ItemsState}: mode, n, the length of its bytes plus 1 (0: none), then they. */
public final class ItemsSerializer extends TypeSerializerSingleton<ItemsState> {
  private static final long serialVersionUID = 1L;

  /** A mode is written as its place here. */
  private static final List<FeatureMode> MODES =
      List.of(FeatureMode.FIRST, FeatureMode.LAST, FeatureMode.LAST_N);

  @Override
  public boolean isImmutableType() {
    return false;
  }

  @Override
  public ItemsState createInstance() {
    return new ItemsState(FeatureMode.LAST, 0, null);
  }

  @Override
  public ItemsState copy(ItemsState from) {
    return from.copy();
  }

  @Override
  public ItemsState copy(ItemsState from, ItemsState reuse) {
    return from.copy();
  }

  @Override
  public int getLength() {
    return -1;
  }

  @Override
  public void serialize(ItemsState state, DataOutputView target) throws IOException {
    byte[] bytes = state.bytes();
    target.writeByte(MODES.indexOf(state.mode()));
    target.writeInt(state.n());
    target.writeInt(bytes == null ? 0 : bytes.length + 1);
    if (bytes != null) {
      target.write(bytes);
    }
  }

  @Override
  public ItemsState deserialize(DataInputView source) throws IOException {
    FeatureMode mode = MODES.get(source.readByte());
    int n = source.readInt();
    int length = source.readInt() - 1;
    byte[] bytes = length < 0 ? null : new byte[length];
    if (bytes != null) {
      source.readFully(bytes);
    }
    return new ItemsState(mode, n, bytes);
  }

  @Override
  public ItemsState deserialize(ItemsState reuse, DataInputView source) throws IOException {
    return deserialize(source);
  }

  @Override
  public void copy(DataInputView source, DataOutputView target) throws IOException {
    serialize(deserialize(source), target);
  }

  @Override
  public TypeSerializerSnapshot<ItemsState> snapshotConfiguration() {
    return new Snapshot();
  }

  /** Says that the format is that of this class. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<ItemsState> {
    public Snapshot() {
      super(ItemsSerializer::new);
    }
  }
}
