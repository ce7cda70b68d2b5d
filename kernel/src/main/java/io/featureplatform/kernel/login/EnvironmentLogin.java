package io.featureplatform.kernel.login;

import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import javax.security.auth.Subject;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.login.LoginException;
import javax.security.auth.spi.LoginModule;

/**
 * A login whose password is in the environment: the configuration, which is in job graphs and
 * plans, names the variable ({@code password_env}) and Kafka's own login module ({@code module}),
 * which does the work and is handed all other options. It serves Kafka's client under any package.
 */
public final class EnvironmentLogin implements LoginModule {
  private static final String MODULE = "module";
  private static final String PASSWORD_ENV = "password_env";

  private final UnaryOperator<String> environment;
  private LoginModule module;

  /** Made by Java's login by the class's name. */
  public EnvironmentLogin() {
    this(System::getenv);
  }

  EnvironmentLogin(UnaryOperator<String> environment) {
    this.environment = environment;
  }

  @Override
  public void initialize(
      Subject subject,
      CallbackHandler handler,
      Map<String, ?> sharedState,
      Map<String, ?> options) {
    Map<String, Object> handedOn = new HashMap<>(options);
    String variable = (String) handedOn.remove(PASSWORD_ENV);
    String password = environment.apply(variable);
    if (password == null || password.isEmpty()) {
      throw new IllegalStateException(
          "the password of Kafka's user %s is missing: set %s in the environment of this process"
              .formatted(options.get("username"), variable));
    }
    handedOn.put("password", password);
    module = made((String) handedOn.remove(MODULE));
    module.initialize(subject, handler, sharedState, handedOn);
  }

  private static LoginModule made(String name) {
    try {
      return Class.forName(name, true, Thread.currentThread().getContextClassLoader())
          .asSubclass(LoginModule.class)
          .getDeclaredConstructor()
          .newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("Kafka's client has no login module " + name + "", e);
    }
  }

  @Override
  public boolean login() throws LoginException {
    return module.login();
  }

  @Override
  public boolean commit() throws LoginException {
    return module.commit();
  }

  @Override
  public boolean abort() throws LoginException {
    return module.abort();
  }

  @Override
  public boolean logout() throws LoginException {
    return module.logout();
  }
}
