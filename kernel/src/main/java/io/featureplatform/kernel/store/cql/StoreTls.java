package io.featureplatform.kernel.store.cql;

import com.datastax.oss.driver.api.core.ssl.ProgrammaticSslEngineFactory;
import com.datastax.oss.driver.api.core.ssl.SslEngineFactory;
import com.datastax.oss.driver.shaded.netty.handler.ssl.JdkSslContext;
import com.datastax.oss.driver.shaded.netty.handler.ssl.SslContextBuilder;
import com.datastax.oss.driver.shaded.netty.handler.ssl.SslProvider;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * What makes connections to the store safe. The files are PEM and are read where the tasks run.
 *
 * @param caFile authorities that are trusted; empty: Java's own
 * @param certificateFile what the store knows this client by; empty: nothing
 * @param keyFile the private key of that
 * @param checkHostName whether a node's certificate must be of the address that is connected to
 */
public record StoreTls(
    String caFile, String certificateFile, String keyFile, boolean checkHostName) {
  private static final int WAIT_MS = 5_000;

  /** Returns what the driver encrypts with. */
  SslEngineFactory engines() {
    // No address is looked up backwards: whoever answers for a name would say who he is.
    return new ProgrammaticSslEngineFactory(context(), null, checkHostName, false);
  }

  /**
   * Greets each node that answers: the driver takes a refused certificate for a node that is down
   * and asks again for minutes.
   *
   * @throws IllegalStateException a node's certificate is refused, or ours by a node
   */
  void check(List<InetSocketAddress> nodes) {
    SSLContext context = context();
    for (InetSocketAddress node : nodes) {
      try (Socket plain = new Socket()) {
        plain.connect(node, WAIT_MS);
        plain.setSoTimeout(WAIT_MS);
        greet(context, plain, node);
      } catch (SSLException e) {
        throw new IllegalStateException(
            ("cannot open a TLS connection to the store at %s: %s. Check store.tls: ca_file (%s)"
                    + " must contain the authority that signed the store's certificate, and the"
                    + " certificate must name this address")
                .formatted(node, e.getMessage(), caFile.isEmpty() ? "Java's own" : caFile),
            e);
      } catch (IOException e) {
        continue; // The node is down or slow: that is the driver's to wait for.
      }
    }
  }

  private void greet(SSLContext context, Socket plain, InetSocketAddress node) throws IOException {
    try (SSLSocket socket =
        (SSLSocket)
            context
                .getSocketFactory()
                .createSocket(plain, node.getHostString(), node.getPort(), true)) {
      SSLParameters parameters = socket.getSSLParameters();
      if (checkHostName) {
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
      }
      socket.setSSLParameters(parameters);
      socket.startHandshake();
    }
  }

  private SSLContext context() {
    try {
      SslContextBuilder builder = SslContextBuilder.forClient().sslProvider(SslProvider.JDK);
      if (!caFile.isEmpty()) {
        builder.trustManager(new File(caFile));
      }
      if (!certificateFile.isEmpty()) {
        builder.keyManager(new File(certificateFile), new File(keyFile));
      }
      return ((JdkSslContext) builder.build()).context();
    } catch (IllegalArgumentException | SSLException e) {
      throw new IllegalStateException(
          "store.tls: cannot read %s on this machine: %s".formatted(files(), e.getMessage()), e);
    }
  }

  private String files() {
    return String.join(", ", List.of(caFile, certificateFile, keyFile)).replaceAll("(, )+$", "");
  }
}
