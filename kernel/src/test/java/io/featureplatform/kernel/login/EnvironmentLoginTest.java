package io.featureplatform.kernel.login;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import javax.security.auth.Subject;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule;
import org.junit.jupiter.api.Test;

class EnvironmentLoginTest {
  private static final Map<String, String> OPTIONS =
      Map.of(
          "module", ScramLoginModule.class.getName(),
          "username", "features",
          "password_env", "FP_KAFKA_PASSWORD");

  @Test
  void theModuleIsHandedThePasswordOfTheEnvironment() throws Exception {
    Subject subject = new Subject();
    EnvironmentLogin login =
        new EnvironmentLogin(Map.of("FP_KAFKA_PASSWORD", "a \"b\" \\ c;")::get);
    login.initialize(subject, null, Map.of(), OPTIONS);

    assertTrue(login.login());
    assertTrue(login.commit());
    assertEquals(Set.of("features"), subject.getPublicCredentials());
    assertEquals(Set.of("a \"b\" \\ c;"), subject.getPrivateCredentials());
  }

  @Test
  void aMissingPasswordIsNamedByItsVariable() {
    EnvironmentLogin login = new EnvironmentLogin(name -> null);
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () -> login.initialize(new Subject(), null, Map.of(), OPTIONS));

    assertTrue(refused.getMessage().contains("FP_KAFKA_PASSWORD"), refused.getMessage());
    assertTrue(refused.getMessage().contains("features"), refused.getMessage());
  }
}
