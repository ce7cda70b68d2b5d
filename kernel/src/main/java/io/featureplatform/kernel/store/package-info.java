/**
 * The ports to the store and the registry, their CQL and in-memory versions, and the arithmetic of
 * write times and TTLs. Knows no engine.
 */
package io.featureplatform.kernel.store;
