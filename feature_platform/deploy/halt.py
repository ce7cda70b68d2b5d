"""Stopping a job for good, in whatever state it is."""

from feature_platform.engines.world import World


def halt(world: World, job_id: str) -> tuple[str, bool]:
    """Stop a job; with a savepoint if it runs.

    Returns:
        Path of the savepoint or checkpoint, empty for none; and whether making it was the last
        thing that the job did: then no task of it can be writing any more.

    Raises:
        JobFailedError: Its savepoint failed; it continues.
        ServerError: Flink does not answer.
    """
    job = world.cluster.job(job_id)
    if job and job.state == "RUNNING":
        return world.cluster.stop_with_savepoint(job_id), True
    world.cluster.cancel(job_id)
    return world.cluster.retained_checkpoint(job_id), bool(job and job.state == "FINISHED")
