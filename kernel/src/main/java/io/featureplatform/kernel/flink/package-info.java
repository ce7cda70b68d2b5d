/**
 * Adapters to Flink: the intake, the SQL functions and the operator that keeps the tiles. Python
 * attaches them to the graph it builds; nothing here is called from Python while the job runs.
 */
package io.featureplatform.kernel.flink;
