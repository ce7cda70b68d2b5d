/**
 * How requests to the store are made: so many at once, several in one, and again while the store is
 * down. Knows neither what they write nor why.
 */
package io.featureplatform.kernel.concurrent;
