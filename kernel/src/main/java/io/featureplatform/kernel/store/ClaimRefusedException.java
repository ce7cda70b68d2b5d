package io.featureplatform.kernel.store;

/**
 * This job may not write: another deployment owns the generation, or it starts from another epoch.
 */
public final class ClaimRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ClaimRefusedException(String message) {
    super(message);
  }
}
