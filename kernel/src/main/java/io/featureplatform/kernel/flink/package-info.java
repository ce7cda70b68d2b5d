/**
 * Adapters to Flink. Here is what both ends of a job share: its attempt and its cuts. {@code
 * intake} is the beginning of the graph, {@code sql} the functions in its middle, {@code tiles} its
 * end. Python attaches them to the graph it builds; nothing here is called from Python while the
 * job runs.
 *
 * <p>{@link io.featureplatform.kernel.flink.ItemsSerializer} is used by {@code sql} alone and stays
 * here nevertheless: savepoints name the class.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.flink;
