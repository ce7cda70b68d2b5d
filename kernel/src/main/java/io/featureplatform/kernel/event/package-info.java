/**
 * From bytes to an event by the source's schema, or to a reason for the dead letter.
 *
 * <p>Stream and batch parse with the same class, so they agree on which events count.
 */
package io.featureplatform.kernel.event;
