/**
 * The batch side in Spark: nothing of Python runs per event, and everything that decides about an
 * event is the same code as in the stream.
 */
package io.featureplatform.kernel.spark;
