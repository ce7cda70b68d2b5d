/** The functions that rendered SQL calls in Flink. */
package io.featureplatform.kernel.flink.sql;
