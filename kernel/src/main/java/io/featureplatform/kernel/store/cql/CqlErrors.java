package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.DriverTimeoutException;
import com.datastax.oss.driver.api.core.RequestThrottlingException;
import com.datastax.oss.driver.api.core.auth.AuthenticationException;
import com.datastax.oss.driver.api.core.connection.BusyConnectionException;
import com.datastax.oss.driver.api.core.connection.ClosedConnectionException;
import com.datastax.oss.driver.api.core.connection.HeartbeatException;
import com.datastax.oss.driver.api.core.servererrors.BootstrappingException;
import com.datastax.oss.driver.api.core.servererrors.OverloadedException;
import com.datastax.oss.driver.api.core.servererrors.QueryConsistencyException;
import com.datastax.oss.driver.api.core.servererrors.ServerError;
import com.datastax.oss.driver.api.core.servererrors.TruncateException;
import com.datastax.oss.driver.api.core.servererrors.UnavailableException;
import io.featureplatform.kernel.store.StoreDownException;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/**
 * Translates the driver's errors at the border, once: those of a store that is down, and the rest.
 */
final class CqlErrors {
  private static final List<Class<? extends Exception>> DOWN =
      List.of(
          DriverTimeoutException.class,
          RequestThrottlingException.class,
          BusyConnectionException.class,
          ClosedConnectionException.class,
          HeartbeatException.class,
          BootstrappingException.class,
          OverloadedException.class,
          QueryConsistencyException.class, // a timeout or failure of too many replicas
          ServerError.class,
          TruncateException.class,
          UnavailableException.class);

  private CqlErrors() {}

  /** Fails with {@link StoreDownException} where the driver's error means it. */
  static <T> CompletionStage<T> translate(CompletionStage<T> stage) {
    return stage.exceptionallyCompose(
        error -> {
          throw translate(error);
        });
  }

  static CompletionException translate(Throwable error) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    return new CompletionException(
        isDown(cause)
            ? new StoreDownException("the store does not respond: " + cause, cause)
            : cause);
  }

  private static boolean isDown(Throwable error) {
    if (error instanceof AllNodesFailedException all) {
      return all.getAllErrors().values().stream()
          .flatMap(List::stream)
          .noneMatch(AuthenticationException.class::isInstance);
    }
    return DOWN.stream().anyMatch(type -> type.isInstance(error));
  }
}
