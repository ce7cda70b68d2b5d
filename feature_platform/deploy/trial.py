"""Trials: a job beside the deployed one, in a table of its own, removed whatever happens.

1. What is going to be made is noted in the registry.
2. Topic of dead letters, table, owner and job are made.
3. In the end, also when interrupted, the job is cancelled, and table, topic and entries go.

A trial that was killed leaves its note: the next trial, and `fp delete`, remove what it names.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import get_args
from uuid import uuid4

from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.lease import HeldLease
from feature_platform.engines.job_spec import StartFields, job_spec
from feature_platform.engines.world import World
from feature_platform.errors import UnknownFeatureError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.trial import (
    Scratch,
    TrialKind,
    sample_limit,
    scratch_of,
    trial_name,
    trial_snapshot,
)
from feature_platform.report import Report

WHOLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial that runs."""

    snapshot: Snapshot
    from_ms: int
    """It counts the events that the broker took from here on."""


@contextmanager
def trial(
    world: World, wanted: FeatureSet, *, past_ms: int, report: Report, share: float = WHOLE
) -> Iterator[Trial]:
    """Run a definition beside the deployed one until this is left.

    Args:
        world: Where it runs.
        wanted: The definition.
        past_ms: It counts the events of this number of milliseconds before now, then live ones.
        report: Called with what is done.
        share: Share of the entities that are counted.

    Raises:
        LeaseHeldError: Somebody else tries the same feature set.
        UnknownFeatureError: Its topic does not exist.
        JobFailedError: The job is refused.
        WorldError: A server did not answer; what is left is removed by the next trial.
    """
    name = trial_name(wanted.name)
    with HeldLease(world.registry, world.clock, name, world.holder):
        remove_scratch(world, name, report)
        try:
            yield _begin(world, wanted, world.clock.now_ms() - past_ms, share, report)
        finally:
            remove_scratch(world, name, report)


def clear_trial(world: World, featureset: str, report: Report) -> None:
    """Remove what killed trials of a feature set have left; one that runs is let alone.

    Raises:
        WorldError: A server did not answer.
    """
    for kind in get_args(TrialKind):
        name = trial_name(featureset, kind)
        if world.registry.lease(name) is None:
            with HeldLease(world.registry, world.clock, name, world.holder):
                remove_scratch(world, name, report)


def _begin(world: World, wanted: FeatureSet, from_ms: int, share: float, report: Report) -> Trial:
    topic = wanted.source.topic
    ends = world.topics.end_offsets(topic)
    if not ends:
        msg = (
            f"topic {topic} does not exist, so there are no events to run {wanted.name} on; fp "
            f"apply {wanted.name} creates it"
        )
        raise UnknownFeatureError(msg)
    scratch = scratch_of(wanted.name, uuid4().hex, world.clock.now_ms())
    snapshot = trial_snapshot(wanted, world.registry.feature_ids(wanted.name), scratch)
    make_scratch(world, snapshot, scratch, report)
    offsets = world.topics.offsets_at(topic, from_ms)
    start = StartFields(start="earliest", end_offsets=ends, offsets=offsets, clean=True)
    sample = sample_limit(share) if share < WHOLE else ""
    spec = replace(
        job_spec(snapshot, world.settings, start), trial=True, sample=sample, changelog_topic=""
    )
    report(f"submit job {spec.name}")
    world.submitter.submit(spec, scratch.deployment, "")
    return Trial(snapshot=snapshot, from_ms=from_ms)


def make_scratch(world: World, snapshot: Snapshot, scratch: Scratch, report: Report) -> None:
    """Note what a trial makes, then make it: all but the job, and the topic of drawn events."""
    name = snapshot.featureset
    note_scratch(world, name, scratch)
    report(f"create the scratch table {scratch.table} and the topic {scratch.letters}")
    world.registry.add_generation(name, scratch.generation, scratch.table, world.clock.now_ms())
    world.topics.create([scratch.letters])
    world.tables.create_table(scratch.table)
    world.registry.set_owner(name, scratch.generation, scratch.deployment)


def note_scratch(world: World, name: str, scratch: Scratch) -> None:
    """Note what is going to be there: whoever removes it goes by that."""
    world.registry.save_progress(name, json.dumps(asdict(scratch)))


def remove_scratch(world: World, name: str, report: Report) -> None:
    """Remove what the note names, the note last; may be repeated."""
    text = world.registry.progress(name)
    if not text:
        return
    left = Scratch(**json.loads(text))
    report(f"remove the shadow run's job, table {left.table} and registry entries")
    world.registry.set_owner(name, left.generation, "")
    world.cluster.cancel(left.deployment)
    _discard_checkpoints(world, left, report)
    world.tables.drop_table(left.table)
    world.topics.delete([each for each in (left.letters, left.events) if each])
    world.registry.forget(name)


def _discard_checkpoints(world: World, left: Scratch, report: Report) -> None:
    kept = world.cluster.kept_checkpoints(left.deployment) if left.keeps_checkpoints else []
    for path in dict.fromkeys((*left.checkpoints, *kept)):
        trouble = world.cluster.discard(path)
        if trouble:
            report(f"the checkpoint {path} stays, delete it by hand: {trouble}")
