/**
 * How requests to the store are made: a bounded number at once, several in one, and again while the
 * store is down. Knows neither what they write nor why.
 */
package io.featureplatform.kernel.concurrent;
