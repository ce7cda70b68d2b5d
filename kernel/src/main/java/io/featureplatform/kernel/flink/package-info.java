/**
 * Adapters to Flink: the intake, the SQL functions and the operator that keeps the tiles. Python
 * attaches them to the graph it builds; nothing here is called from Python while the job runs.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.flink;
