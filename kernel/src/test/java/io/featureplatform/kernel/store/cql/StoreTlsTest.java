package io.featureplatform.kernel.store.cql;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a server whose certificate is of 127.0.0.1 alone. */
class StoreTlsTest {
  private static final String PASSWORD = "changeit";

  @TempDir static Path folder;
  private static SSLServerSocket server;

  @BeforeAll
  static void serve() throws Exception {
    certificate("server", "ip:127.0.0.1");
    certificate("stranger", "ip:127.0.0.1");
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = new FileInputStream(folder.resolve("server.p12").toFile())) {
      keys.load(in, PASSWORD.toCharArray());
    }
    KeyManagerFactory managers = KeyManagerFactory.getInstance("PKIX");
    managers.init(keys, PASSWORD.toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    server =
        (SSLServerSocket)
            context.getServerSocketFactory().createServerSocket(0, 5, InetAddress.getByName(null));
    Thread thread = new Thread(StoreTlsTest::greetAll);
    thread.setDaemon(true);
    thread.start();
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
  }

  private static void greetAll() {
    while (!server.isClosed()) {
      try (SSLSocket socket = (SSLSocket) server.accept()) {
        socket.startHandshake();
      } catch (IOException e) {
        continue; // The client refused it, which is what is tried.
      }
    }
  }

  private static void certificate(String name, String address) throws Exception {
    String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    File store = folder.resolve(name + ".p12").toFile();
    run(
        List.of(
            keytool,
            "-genkeypair",
            "-alias",
            name,
            "-keyalg",
            "EC",
            "-dname",
            "CN=" + name,
            "-ext",
            "san=" + address,
            "-keystore",
            store.toString(),
            "-storepass",
            PASSWORD));
    run(
        List.of(
            keytool,
            "-exportcert",
            "-rfc",
            "-alias",
            name,
            "-keystore",
            store.toString(),
            "-storepass",
            PASSWORD,
            "-file",
            folder.resolve(name + ".pem").toString()));
  }

  private static void run(List<String> command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertTrue(process.waitFor() == 0, said);
  }

  private static void check(String authority, boolean hostName, String host) throws Exception {
    StoreTls tls = new StoreTls(folder.resolve(authority + ".pem").toString(), "", "", hostName);
    byte[] loopback = {127, 0, 0, 1};
    InetAddress address = InetAddress.getByAddress(host, loopback);
    tls.check(List.of(new InetSocketAddress(address, server.getLocalPort())));
  }

  @Test
  void aTrustedNodeIsGreeted() throws Exception {
    check("server", true, "127.0.0.1");
  }

  @Test
  void anotherAuthoritysNodeIsRefusedAtOnce() {
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> check("stranger", true, "127.0.0.1"));
    assertTrue(refused.getMessage().contains("store.tls"), refused.getMessage());
  }

  @Test
  void anotherNameIsRefusedUnlessNamesAreNotChecked() throws Exception {
    assertThrows(IllegalStateException.class, () -> check("server", true, "store.example.org"));
    check("server", false, "store.example.org");
  }

  @Test
  void aNodeThatIsDownIsLeftToTheDriver() {
    StoreTls tls = new StoreTls(folder.resolve("server.pem").toString(), "", "", true);
    tls.check(List.of(new InetSocketAddress("127.0.0.1", 1)));
  }

  @Test
  void aFileThatCannotBeReadIsNamed() throws Exception {
    Path empty = Files.writeString(folder.resolve("empty.pem"), "nothing\n");
    StoreTls tls = new StoreTls(empty.toString(), "", "", true);
    IllegalStateException refused = assertThrows(IllegalStateException.class, tls::engines);
    assertTrue(refused.getMessage().contains("empty.pem"), refused.getMessage());
  }
}
