/**
 * Which writes count: who may start a writer and from which epoch, and what a row was before a dead
 * attempt touched it. Knows the ports, but no engine.
 *
 * <p>The rules of exactness that classes here cite by number are in {@code docs/exactness.md}.
 */
package io.featureplatform.kernel.lineage;
