package io.featureplatform.kernel.store.cql;

import java.util.List;

/**
 * Where the store is and who asks.
 *
 * @param contactPoints {@code host:port} each
 * @param localDc the data centre that answers
 * @param user empty: no authentication
 * @param passwordEnv the environment variable that holds the password
 * @param tls null: connections are not encrypted
 */
public record StoreAddress(
    List<String> contactPoints, String localDc, String user, String passwordEnv, StoreTls tls) {}
