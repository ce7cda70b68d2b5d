package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import io.featureplatform.kernel.store.StoreDownException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Driver sessions, one for each address and class loader: the subtasks of a job in one process
 * share it. The last to release it closes it, so that no thread of the driver outlives the job.
 */
final class CqlSessions {
  private static final class Shared {
    final CqlSession session;
    int users;

    Shared(CqlSession session) {
      this.session = session;
    }
  }

  private static final ReentrantLock LOCK = new ReentrantLock();
  private static final Map<StoreAddress, Shared> SHARED = new HashMap<>();
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);
  private static final long CLOSE_MS = 10_000;
  private static final int REQUESTS_PER_CONNECTION_MAX = 8_192;

  private CqlSessions() {}

  /** Opens or shares a session; waits for the store for up to the limit. May be interrupted. */
  static CqlSession acquire(StoreAddress address, long limitMs) throws InterruptedException {
    LOCK.lockInterruptibly();
    try {
      Shared shared = SHARED.get(address);
      if (shared == null) {
        shared = new Shared(open(address, limitMs));
        SHARED.put(address, shared);
      }
      shared.users++;
      return shared.session;
    } finally {
      LOCK.unlock();
    }
  }

  /** Gives a session back; requests under way are answered first. */
  static void release(StoreAddress address) {
    LOCK.lock();
    try {
      Shared shared = SHARED.get(address);
      if (shared != null && --shared.users == 0) {
        SHARED.remove(address);
        close(shared.session);
      }
    } finally {
      LOCK.unlock();
    }
  }

  private static CqlSession open(StoreAddress address, long limitMs) throws InterruptedException {
    CompletableFuture<CqlSession> opening = builder(address).buildAsync().toCompletableFuture();
    try {
      return opening.get(limitMs, TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new IllegalStateException("cannot connect to the store at " + address, e.getCause());
    } catch (TimeoutException e) {
      throw new StoreDownException(
          "the store at %s did not respond within %d ms".formatted(address, limitMs), e);
    } finally {
      if (!opening.isDone() || opening.isCompletedExceptionally()) {
        var unused = opening.thenAccept(CqlSession::forceCloseAsync);
      }
    }
  }

  private static void close(CqlSession session) {
    try {
      session.closeAsync().toCompletableFuture().get(CLOSE_MS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      session.forceCloseAsync();
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      session.forceCloseAsync();
    }
  }

  private static CqlSessionBuilder builder(StoreAddress address) {
    ClassLoader loader = CqlSessions.class.getClassLoader();
    CqlSessionBuilder builder =
        CqlSession.builder()
            .withClassLoader(loader)
            .withConfigLoader(config(loader))
            .withLocalDatacenter(address.localDc());
    List<InetSocketAddress> nodes =
        address.contactPoints().stream().map(CqlSessions::node).toList();
    builder.addContactPoints(nodes);
    if (address.tls() != null) {
      address.tls().check(nodes);
      builder.withSslEngineFactory(address.tls().engines());
    }
    if (!address.user().isEmpty()) {
      builder.withAuthCredentials(address.user(), password(address));
    }
    return builder;
  }

  private static InetSocketAddress node(String contactPoint) {
    int colon = contactPoint.lastIndexOf(':');
    return new InetSocketAddress(
        contactPoint.substring(0, colon), Integer.parseInt(contactPoint.substring(colon + 1)));
  }

  private static DriverConfigLoader config(ClassLoader loader) {
    return DriverConfigLoader.programmaticBuilder(loader)
        .withString(
            DefaultDriverOption.REQUEST_CONSISTENCY, DefaultConsistencyLevel.LOCAL_QUORUM.name())
        .withString(
            DefaultDriverOption.REQUEST_SERIAL_CONSISTENCY,
            DefaultConsistencyLevel.LOCAL_SERIAL.name())
        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, REQUEST_TIMEOUT)
        .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, HANDSHAKE_TIMEOUT)
        .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(500))
        .withDuration(DefaultDriverOption.RECONNECTION_MAX_DELAY, Duration.ofSeconds(5))
        .withBoolean(DefaultDriverOption.RECONNECT_ON_INIT, true)
        .withInt(DefaultDriverOption.CONNECTION_MAX_REQUESTS, REQUESTS_PER_CONNECTION_MAX)
        .withInt(DefaultDriverOption.NETTY_IO_SIZE, 2)
        .withInt(DefaultDriverOption.NETTY_ADMIN_SIZE, 1)
        // A session is closed when nothing is under way; a task that ends need not wait 2 s more.
        .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
        .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
        .build();
  }

  private static String password(StoreAddress address) {
    String password = System.getenv(address.passwordEnv());
    if (password == null) {
      throw new IllegalStateException(
          "the password of user %s is missing: set %s in the environment of the task managers"
              .formatted(address.user(), address.passwordEnv()));
    }
    return password;
  }
}
