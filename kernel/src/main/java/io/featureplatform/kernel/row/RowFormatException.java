package io.featureplatform.kernel.row;

/** Bytes that no encoder of ours has written: cut off, damaged, or of a newer format. */
public final class RowFormatException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  /** Says what is wrong with the bytes. */
  public RowFormatException(String message) {
    super(message);
  }
}
