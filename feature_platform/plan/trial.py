"""A trial: a definition as it would run beside the deployed one, under a name of its own. Pure.

The name holds a dot, which no feature set's does: nobody takes one for the other. `fp try` runs one
on the source's topic, `fp verify` on a topic of drawn events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from feature_platform.definition.model import FeatureSet
from feature_platform.plan.compare import Change
from feature_platform.plan.ids import FeatureId, assign_ids, column_keys
from feature_platform.plan.job import dead_letter_topic
from feature_platform.plan.layout import build_layout
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.target import blank, target_of

HASHES = 16**8

TrialKind = Literal["try", "verify"]
"""Each has a name and a lease of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """What a trial makes, noted before it is made: whoever comes next can remove it."""

    deployment: str
    """Id of its job, too."""
    generation: int
    table: str
    letters: str
    """Topic of its dead letters."""
    events: str = ""
    """Topic of drawn events; empty where it reads its source's."""
    keeps_checkpoints: bool = False
    """Whether its job leaves checkpoints when it is cancelled."""
    checkpoints: tuple[str, ...] = ()
    """Addresses of those that a job before the present one has left."""


def trial_name(featureset: str, kind: TrialKind = "try") -> str:
    """Return what the registry knows a feature set's trial by."""
    return f"{featureset}.{kind}"


def scratch_of(featureset: str, deployment: str, now_ms: int, kind: TrialKind = "try") -> Scratch:
    """Return what a trial that begins now is going to make; no number is ever used again."""
    number, name = now_ms // 1000, trial_name(featureset, kind)
    drawn = kind == "verify"
    return Scratch(
        deployment=deployment,
        generation=number,
        table=f"{kind}_{number}_{featureset}",
        letters=dead_letter_topic(name),
        events=f"{name}.{number}" if drawn else "",
        keeps_checkpoints=drawn,
    )


def trial_snapshot(
    wanted: FeatureSet, known: Sequence[FeatureId], scratch: Scratch, kind: TrialKind = "try"
) -> Snapshot:
    """Return what the trial runs: one task, whatever the definition says, in a table of its own.

    Args:
        wanted: The definition to try.
        known: Ids of the deployed one, so that a column has the same id in both.
        scratch: What it makes.
        kind: What it is for.
    """
    layout = build_layout(wanted, assign_ids(known, column_keys(wanted)))
    change = Change(kind="new", reasons=(), verdicts=())
    target = target_of(wanted, layout, change, blank(wanted, scratch.generation))
    name = trial_name(wanted.name, kind)
    job = replace(
        target.job,
        featureset=name,
        dead_letter_topic=scratch.letters,
        settings=replace(target.job.settings, parallelism=1),
    )
    return replace(
        target,
        featureset=name,
        table=scratch.table,
        job=job,
        parallelism=1,
        deployment=scratch.deployment,
        job_id=scratch.deployment,
        state="running",
    )


def sample_limit(share: float) -> str:
    """Return the text below which the MD5 of an entity must be to be in the sample.

    The same entities are in it at every trial, and in a larger sample, too.

    Args:
        share: Above 0, below 1.
    """
    return f"{max(1, round(share * HASHES)):08x}"
