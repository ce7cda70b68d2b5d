package io.featureplatform.kernel.flink.model;

/**
 * One rule of exactness switched off, with its number in {@code docs/exactness.md}. The switches
 * are in the fakes around the kernel's ports and in what the platform does with it; the kernel
 * itself has none.
 */
enum Broken {
  /** All rules hold. */
  NOTHING,

  /** 1: A restart goes on under the attempt of the run that crashed. */
  ATTEMPT_KEPT_ON_RESTART,

  /** 1: Any deployment may claim, the replaced one too. */
  ANYBODY_CLAIMS,

  /** 1: Each subtask of a run claims a number of its own. */
  SUBTASKS_CLAIM_ALONE,

  /** 2: The sender's clock decides which of two writes stays. */
  CLOCK_DECIDES,

  /** 2: All flushes of a checkpoint carry one timestamp. */
  FLUSHES_UNNUMBERED,

  /** 3: Rows are written without undo rows. */
  NO_UNDO,

  /** 3: The undo row is in one batch with the rows. */
  UNDO_WITH_ROWS,

  /** 3: A checkpoint's undo rows of an entity overwrite each other. */
  UNDO_OVERWRITTEN,

  /** 4: The largest undo epoch counts instead of the smallest. */
  LARGEST_UNDO,

  /** 4: Any dead undo entry counts, whatever the writer's history. */
  ANY_DEAD_UNDO,

  /** 4: Rows are judged by entity: one of our own makes all of them ours. */
  JUDGED_BY_ENTITY,

  /** 4: The flush number does not jump with the checkpoint, so it gives too small an id. */
  NO_JUMP,

  /** 5: A cut has the positions of those partitions alone that were read since the start. */
  IDLE_PARTITIONS_FORGOTTEN,

  /** 5: Barriers are counted instead of named by their ids. */
  BARRIERS_COUNTED,

  /** 6: The newest cut is taken, wherever it is, and the claim lets it. */
  OFF_THE_LINE,

  /** 7: The query is changed before the attempt has recovered. */
  NOT_RECOVERED,

  /** 7: The query is changed while zombies may still write. */
  NO_GRACE,

  /** 8: Nobody asks how old what must be undone is. */
  NO_AGE,

  /** 8: Only the age of the start itself is looked at, not what its attempt had inherited. */
  AGE_NOT_CHAINED,

  /** 9: A rollback does not sweep. */
  NO_SWEEP,

  /** 9: A sweep that goes on after a crash takes a new number. */
  SWEEP_RENUMBERED,

  /** 9: A sweep skips rows that it does not see. */
  SWEEP_OF_SEEN_ROWS,

  /** 10: A backfill is done again from elsewhere into the same table. */
  BACKFILL_CHANGED,

  /** 10: A job goes on from before a repair. */
  REPAIR_PASSED_BY,

  /** 11: Rows are read while writes are under way. */
  READ_BEFORE_ACKNOWLEDGED,

  /** 12: Barriers overtake events. */
  UNALIGNED,

  /** 12: A barrier passes before its writes are acknowledged. */
  BARRIER_BEFORE_ACKNOWLEDGED,

  /** 12: After the barrier of a stop a job counts and writes one more event. */
  WRITES_AFTER_STOP,

  /** 13: Tiles past their time are written, with TTL 0: for ever. */
  PAST_TILES_WRITTEN,

  /** 13: A sweep gives tiles no time to live. */
  SWEEP_FOR_EVER,

  /** 14: Reads ask one replica. */
  READS_OF_ONE,

  /** 15: Where Kafka no longer holds what is to be read, a job begins at what it holds. */
  LOST_EVENTS_SKIPPED
}
