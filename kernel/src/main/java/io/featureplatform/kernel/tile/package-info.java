/**
 * The tile arithmetic: grid and layout, the changes of a bundle, the head of one entity.
 *
 * <p>No engine, no store, no clock: {@link io.featureplatform.kernel.tile.Head#apply} is a function
 * of the changes and of the closed rows that were read, and its result depends on the set of
 * commands alone, however they were bundled.
 */
package io.featureplatform.kernel.tile;
