"""The demo's stage: feature sets, jobs and topics, empty at the start whatever was there before."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from feature_platform.broker.topics import TopicClient
from feature_platform.demo.scratch import FEATURE_SETS
from feature_platform.deploy.control import delete
from feature_platform.deploy.generation import drop_expired
from feature_platform.engines.world import World
from feature_platform.errors import LeaseHeldError
from feature_platform.plan.job import dead_letter_topic
from feature_platform.registry.base import LEASE_TTL_S

Say = Callable[[str], None]

JOB_NAME = re.compile(rf"({'|'.join(FEATURE_SETS)})_g\d+")
ASK_AGAIN_S = 2.0


def clear_stage(world: World, topic: str, say: Say) -> None:
    """Remove what an earlier demo left: jobs, feature sets, tables, topics.

    Raises:
        WorldError: A server did not answer.
    """
    end_jobs(world)
    for name in FEATURE_SETS:
        if world.registry.snapshot(name) is not None:
            say(f"removing {name}, left over from an earlier demo")
            patiently(partial(delete, world, name), say)
        for generation in world.registry.generations(name):
            if generation.drop_after_ms > 0:  # its time of grace ends now
                now_ms = world.clock.now_ms()
                world.registry.expire_generation(name, generation.generation, now_ms)
        drop_expired(world, name)
    TopicClient(world.settings.kafka).delete([topic, dead_letter_topic(topic)])


def end_jobs(world: World) -> None:
    """Cancel the demo's jobs, also one that was being started; what they wrote stays.

    Raises:
        WorldError: A server did not answer.
    """
    for name in FEATURE_SETS:
        snapshot = world.registry.snapshot(name)
        if snapshot is not None:
            world.registry.save(replace(snapshot, state="stopped"))
    for job in world.cluster.jobs():
        if job.lives and JOB_NAME.fullmatch(job.name):
            world.cluster.cancel(job.id)


def patiently(change: Callable[[], None], say: Say) -> None:
    """Change something, after waiting for the lease that an interrupted demo may have left.

    Raises:
        LeaseHeldError: Somebody else really is at it.
    """
    tries = round(LEASE_TTL_S / ASK_AGAIN_S) + 1
    for left in reversed(range(tries)):
        try:
            return change()
        except LeaseHeldError as error:
            if not left:
                raise
            if left == tries - 1:
                say(f"waiting: {error}")
        time.sleep(ASK_AGAIN_S)
    return None
