/**
 * Adapters to Spark: what a backfill does per event, per entity and per row. Python calls the
 * static methods to build the plan; nothing here is called from Python for a row.
 */
package io.featureplatform.kernel.spark;
