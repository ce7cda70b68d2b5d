"""Telling from a stack trace that a job could not read its checkpoint, whatever else it says. Pure.

Such a job would fail permanently; one whose store or broker is down would not.
"""

RESTORE_MARKS = (
    "Cannot find checkpoint or savepoint file",
    "Cannot find meta data file",
    "CheckpointMetadataLoadingException",
    "runtime.checkpoint.Checkpoints.load",
    "Could not restore keyed state backend",
    "Could not restore operator state backend",
    "BackendBuildingException",
    "StateMigrationException",
    "FlinkRuntimeException: Failed to deserialize",
    "ClaimRefusedException",
)
"""The last one is the kernel's: what was restored is abandoned, too old, or not its own."""


def failed_to_restore(trace: str) -> bool:
    """Return whether a job's failure was that it could not restart from its checkpoint."""
    return any(mark in trace for mark in RESTORE_MARKS)
