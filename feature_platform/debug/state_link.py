"""What the job holds of an entity, beside what its events up to the same checkpoint say."""

import re
from collections.abc import Callable, Mapping, Sequence

from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import compare, decoded
from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, by_partition, until
from feature_platform.debug.diagnosis import diagnose
from feature_platform.debug.report import Link
from feature_platform.engines.flink_state import CheckpointGoneError
from feature_platform.engines.reads import Reads
from feature_platform.errors import CorruptRowError, FeaturePlatformError
from feature_platform.lineage.as_of import KnownTiles
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.rows.codec import split_head
from feature_platform.words import counted

TRIES = 3
"""Flink deletes a checkpoint when a newer one is complete."""
_NUMBER = re.compile(r"chk-(\d+)/?$")

ReadHeads = Callable[[str, Sequence[str], int], Mapping[str, bytes]]
"""Reads heads from a checkpoint; `engines.flink_state.read_heads` with its settings."""


def state_link(
    reads: Reads, snapshot: Snapshot, whole: Account, scope: Scope, read: ReadHeads
) -> Link:
    """Compare the job's state with the events that it had counted.

    Args:
        reads: What is deployed.
        snapshot: The feature set.
        whole: All events of the entity.
        scope: What may be judged.
        read: Reads a checkpoint.
    """
    for left in reversed(range(TRIES)):
        try:
            path = _newest(reads, snapshot)
            if not path:
                summary = "there is no checkpoint or savepoint to be read"
                return Link(place="state", state="unknown", summary=summary)
            heads = read(path, [whole.entity], snapshot.job.settings.state_ttl_ms)
            return _judged(snapshot, whole, scope, _cut_of(reads, snapshot, path), heads, path)
        except CheckpointGoneError as error:
            if not left:
                return Link(place="state", state="unknown", summary=str(error))
        except FeaturePlatformError as error:
            return Link(place="state", state="unknown", summary=str(error))
    raise AssertionError  # the last try returns


def _newest(reads: Reads, snapshot: Snapshot) -> str:
    path = reads.cluster.retained_checkpoint(snapshot.job_id)
    return path or snapshot.savepoint or (snapshot.stop.path if snapshot.stop else "")


def _cut_of(reads: Reads, snapshot: Snapshot, path: str) -> Cut | None:
    """Return the cut that a checkpoint made; None if it is not recorded."""
    found = _NUMBER.search(path)
    attempts = reads.registry.attempts(snapshot.featureset, snapshot.generation)
    if not (found and attempts):
        return None
    return reads.registry.cut(
        snapshot.featureset, snapshot.generation, attempts[-1].attempt, int(found[1])
    )


def _judged(
    snapshot: Snapshot,
    whole: Account,
    scope: Scope,
    cut: Cut | None,
    heads: Mapping[str, bytes],
    path: str,
) -> Link:
    if whole.entity not in heads:
        summary = (
            f"the job holds nothing of it in {path}: it has no events, or none since "
            "settings.state_ttl; its next event brings its row back from the store"
        )
        return Link(place="state", state="fine", summary=summary)
    try:
        tiles = {
            (level, start_ms): payload
            for level, start_ms, payload in split_head(heads[whole.entity])
        }
    except CorruptRowError as error:
        return Link(place="state", state="wrong", summary=f"its head in {path}: {error}")
    if cut is None:
        summary = f"{counted(len(tiles), 'tile')} in {path}, whose cut is not recorded"
        return Link(place="state", state="unknown", summary=summary)
    account = until(whole, by_partition(cut.positions))
    made = account.oracle.entity(account.entity)
    expected = {
        (tile.level, tile.start_ms): tile.payload
        for tile in (made.tiles if made else ())
        if tile.in_head
    }
    readable, unreadable = decoded(account.entity, tiles, snapshot)
    known = KnownTiles(tiles=tiles)
    number, found = compare(account.entity, known, readable, expected, scope)
    as_of = f"in checkpoint {cut.checkpoint_id} of {to_iso(cut.recorded_ms)}"
    if unreadable or found:
        told = [*unreadable, *diagnose(snapshot, account, found, found)]
        return Link(
            place="state",
            state="wrong",
            summary=told[0],
            details=(*told[1:], as_of),
            next_step=f"fp check {snapshot.featureset} --repair corrects rows and state",
        )
    summary = f"{counted(number, 'tile')} {as_of} agree with the events"
    return Link(place="state", state="fine", summary=summary)
