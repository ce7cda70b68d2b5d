package io.featureplatform.kernel.store;

/**
 * This job must not write: it was replaced, or it is not known from which epoch it starts. Trying
 * again changes nothing.
 */
public class ClaimRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ClaimRefusedException(String message) {
    super(message);
  }
}
