/**
 * What is outside a job: the ports to its rows and its registry, the values that are in them
 * (attempts, cuts, offsets, write times, keys), both ports in memory, and the two ways in which a
 * port fails. Knows no driver, no thread and no engine.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.store;
