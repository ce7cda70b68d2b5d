/**
 * The end of the graph: the changelog of the SQL becomes rows in the store.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.flink.tiles;
