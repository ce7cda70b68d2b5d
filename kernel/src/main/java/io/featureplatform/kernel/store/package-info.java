/**
 * The ports to the store and the registry, their CQL and in-memory versions, and the arithmetic of
 * write times and TTLs. Knows no engine.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.store;
