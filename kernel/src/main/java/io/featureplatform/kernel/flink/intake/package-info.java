/**
 * The beginning of the graph: records of Kafka become events, or dead letters, and an attempt is
 * claimed.
 */
package io.featureplatform.kernel.flink.intake;
