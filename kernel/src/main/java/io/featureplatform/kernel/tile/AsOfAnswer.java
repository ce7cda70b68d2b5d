package io.featureplatform.kernel.tile;

import java.util.List;

/**
 * The answer to a question of an {@link AsOf}, by slot. Mutable: one is reused for all questions.
 *
 * <p>Counters come as bytes: 8 for each slot of a counter, little-endian, in their order; then one
 * for each slot of a minimum or maximum, 0 if there is none. {@code training/answers.py} reads it.
 */
public final class AsOfAnswer {
  private final int[] counterPlaces;
  private final int[] markPlaces;
  private final byte[][] items;
  private final int size;
  private byte[] counters;

  /** Has no answer yet. */
  public AsOfAnswer(AsOfPlan plan) {
    List<Column> slots = plan.slots();
    this.counterPlaces = new int[slots.size()];
    this.markPlaces = new int[slots.size()];
    this.items = new byte[slots.size()][];
    int counted = 0;
    for (int i = 0; i < slots.size(); i++) {
      counterPlaces[i] = Long.BYTES * counted;
      counted += slots.get(i).kind().isCounter() ? 1 : 0;
    }
    int next = Long.BYTES * counted;
    for (int i = 0; i < slots.size(); i++) {
      Kind kind = slots.get(i).kind();
      markPlaces[i] = kind.isCounter() && !kind.isAdditive() ? next++ : -1;
    }
    this.size = next;
  }

  /** Begins with the next answer; {@link #counters()} of the last one is not changed any more. */
  void clear() {
    counters = new byte[size];
  }

  /** Sets a sum. */
  void set(int slot, long value) {
    int at = counterPlaces[slot];
    for (int i = 0; i < Long.BYTES; i++) {
      counters[at + i] = (byte) (value >>> (8 * i));
    }
  }

  /** Sets a minimum or maximum; without this call there is none. */
  void setExtreme(int slot, long value) {
    set(slot, value);
    counters[markPlaces[slot]] = 1;
  }

  /** Sets an item; null: there is none. */
  void setItem(int slot, byte[] encoded) {
    items[slot] = encoded;
  }

  /** Returns the counters of all slots that have one. */
  public byte[] counters() {
    return counters;
  }

  /** Returns the encoded item of a slot, or null. */
  public byte[] item(int slot) {
    return items[slot];
  }
}
