/**
 * The job spec as the deployer writes it, typed. Whoever runs a job or a backfill reads it here; it
 * knows no engine.
 */
package io.featureplatform.kernel.job;
