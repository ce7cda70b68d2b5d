"""The demo's stage: its feature sets and topics, empty at the start, whatever was there before."""

from collections.abc import Callable
from dataclasses import replace

from feature_platform.broker.topics import Topics
from feature_platform.demo.scratch import FEATURE_SETS
from feature_platform.deploy.control import delete, drop_expired
from feature_platform.deploy.world import World
from feature_platform.plan.job import dead_letter_topic
from feature_platform.plan.snapshot import Snapshot

Say = Callable[[str], None]


def clear_stage(world: World, topic: str, say: Say) -> None:
    """Remove what an earlier demo left: jobs, feature sets, tables, topics.

    Raises:
        WorldError: A server did not answer.
    """
    for name in FEATURE_SETS:
        snapshot = world.registry.snapshot(name)
        if snapshot is not None:
            say(f"removing {name} of an earlier demo")
            _remove(world, snapshot)
    Topics(world.settings.kafka).delete([topic, dead_letter_topic(topic)])


def stop_jobs(world: World) -> None:
    """Cancel the demo's jobs; their numbers stay and can be asked for.

    Raises:
        WorldError: A server did not answer.
    """
    for name in FEATURE_SETS:
        snapshot = world.registry.snapshot(name)
        if snapshot is not None:
            _cancel(world, snapshot)


def _remove(world: World, snapshot: Snapshot) -> None:
    """Delete a feature set without its savepoint and without the time of grace."""
    _cancel(world, snapshot)
    delete(world, snapshot.featureset)
    for generation in world.registry.generations(snapshot.featureset):
        if generation.drop_after_ms > 0:
            now_ms = world.clock.now_ms()
            world.registry.expire_generation(snapshot.featureset, generation.generation, now_ms)
    drop_expired(world, snapshot.featureset)


def _cancel(world: World, snapshot: Snapshot) -> None:
    world.registry.save(replace(snapshot, state="stopped"))
    world.cluster.cancel(snapshot.job_id)
