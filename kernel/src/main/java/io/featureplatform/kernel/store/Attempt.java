package io.featureplatform.kernel.store;

/**
 * One start of a writer, kept in the registry for ever.
 *
 * @param number orders the writes of a generation: larger wins
 * @param execution the run of the job it was given to; all its subtasks share it
 * @param deployment who asked
 * @param kind what wrote: {@code stream} for a Flink job
 * @param start the epoch it starts from (R)
 * @param endOffsets the topic's ends when it started, as JSON {@code {"topic/partition": offset}}
 * @param claimedMs when
 */
public record Attempt(
    int number,
    String execution,
    String deployment,
    String kind,
    Epoch start,
    String endOffsets,
    long claimedMs) {}
