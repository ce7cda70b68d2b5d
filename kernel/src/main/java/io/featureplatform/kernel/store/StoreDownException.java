package io.featureplatform.kernel.store;

/** The store or registry did not answer, or not in time: the same request may succeed later. */
public final class StoreDownException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public StoreDownException(String message, Throwable cause) {
    super(message, cause);
  }
}
