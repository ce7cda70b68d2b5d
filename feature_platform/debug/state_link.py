"""What the job holds of an entity, beside what its events up to the same checkpoint say."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import compare, decoded
from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, by_partition, until
from feature_platform.debug.diagnosis import diagnose
from feature_platform.debug.live import Fresh
from feature_platform.debug.report import Link
from feature_platform.deploy.start import attempt_of, epoch_of, stopped_at
from feature_platform.engines.reads import Reads
from feature_platform.errors import CheckpointGoneError, CorruptRowError, FeaturePlatformError
from feature_platform.lineage.as_of import KnownTiles
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut, Epoch
from feature_platform.rows.codec import split_head
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted, span

TRIES = 3
"""Flink deletes a checkpoint when a newer one is complete."""
_NUMBER = re.compile(r"/chk-(\d+)/?$")

ReadHeads = Callable[[str, Sequence[str], int], Mapping[str, bytes]]
"""Reads heads from a checkpoint; `engines.flink_state.read_heads` with its settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What of the job's state is to be read, and what it can be compared with."""

    fresh: Fresh | str | None = None
    """A checkpoint that was asked for; a text: why there is none. None: the newest is read."""
    ends: Mapping[int, int]
    """First offset of each partition that was not looked at: a checkpoint may have counted it."""


def state_link(
    reads: Reads, snapshot: Snapshot, whole: Account, scope: Scope, read: ReadHeads, held: Held
) -> Link:
    """Compare the job's state with the events that it had counted.

    Args:
        reads: What is deployed.
        snapshot: The feature set.
        whole: All events of the entity.
        scope: What may be judged.
        read: Reads a checkpoint.
        held: Which one.
    """
    fresh = held.fresh
    if isinstance(fresh, str):
        return Link(place="state", state="unknown", summary=fresh)
    path = fresh.path if fresh else ""
    for left in reversed(range(TRIES)):
        try:
            path = path or _newest(reads, snapshot)
            if not path:
                summary = "there is no checkpoint or savepoint to be read"
                return Link(place="state", state="unknown", summary=summary)
            heads = read(path, [whole.entity], snapshot.job.settings.state_ttl_ms)
            found = _found(reads, snapshot, whole, scope, held.ends, heads, path)
            return _with_cost(found, fresh) if fresh and path == fresh.path else found
        except CheckpointGoneError as error:
            if not left:
                return _gone(snapshot, str(error))
            path = ""  # a newer one has taken its place
        except FeaturePlatformError as error:
            return Link(place="state", state="unknown", summary=str(error))
    raise AssertionError  # the last try returns


def _with_cost(found: Link, fresh: Fresh) -> Link:
    asked = f"the job was asked for it and took {span(fresh.took_ms)}"
    return replace(found, details=(*found.details, asked))


def _gone(snapshot: Snapshot, why: str) -> Link:
    name = snapshot.featureset
    return Link(
        place="state",
        state="unknown",
        summary=why,
        next_step=f"if its job does not run either: fp recover {name} --from store starts it from "
        "its rows",
    )


def _newest(reads: Reads, snapshot: Snapshot) -> str:
    if snapshot.savepoint:
        return snapshot.savepoint
    path = reads.cluster.retained_checkpoint(snapshot.job_id)
    return path or (snapshot.stop.path if snapshot.stop else "")


def _cut_of(reads: Reads, snapshot: Snapshot, path: str) -> Cut | None:
    """Return the cut that a checkpoint or savepoint made; None if it is not recorded."""
    attempt, checkpoint_id = _epoch_of(reads, snapshot, path)
    if not attempt:
        return None
    return reads.registry.cut(snapshot.featureset, snapshot.generation, attempt, checkpoint_id)


def _epoch_of(reads: Reads, snapshot: Snapshot, path: str) -> Epoch:
    """Return the epoch of a checkpoint, which Flink may have deleted meanwhile."""
    if snapshot.stop and snapshot.stop.path == path:
        return epoch_of(snapshot.stop)
    if numbered := _NUMBER.search(path):
        checkpoint_id = int(numbered[1])
        return attempt_of(reads, snapshot, checkpoint_id), checkpoint_id
    return epoch_of(stopped_at(reads, snapshot, path, clean=False))


def _found(
    reads: Reads,
    snapshot: Snapshot,
    whole: Account,
    scope: Scope,
    ends: Mapping[int, int],
    heads: Mapping[str, bytes],
    path: str,
) -> Link:
    """Judge what a checkpoint holds of the entity, if it holds any of it."""
    cut = _cut_of(reads, snapshot, path)
    if whole.entity not in heads:
        return _nothing(snapshot, whole, cut, reads.clock.now_ms(), path)
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
    found = _judged(snapshot, until(whole, by_partition(cut.positions)), scope, cut, tiles)
    ahead = any(at > ends.get(each, 0) for each, at in by_partition(cut.positions).items())
    return _unread(found, cut) if ahead and found.state == "wrong" else found


def _unread(found: Link, cut: Cut) -> Link:
    """Return what cannot be judged: the checkpoint may have counted events that were not read."""
    return replace(
        found,
        state="unknown",
        summary=f"its checkpoint {cut.checkpoint_id} was made while the events were read: run this "
        f"again; {found.summary}",
        next_step="",
    )


def _judged(
    snapshot: Snapshot,
    account: Account,
    scope: Scope,
    cut: Cut,
    tiles: Mapping[tuple[int, int], bytes],
) -> Link:
    """Compare tiles with the events up to their cut."""
    expected = {key: tile.payload for key, tile in account.tiles.items() if tile.in_head}
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


def _nothing(snapshot: Snapshot, whole: Account, cut: Cut | None, now_ms: int, path: str) -> Link:
    """Say why the job may hold nothing of the entity."""
    ttl_ms = snapshot.job.settings.state_ttl_ms
    kept = f"settings.state_ttl ({format_duration(ttl_ms)})"
    back = "its next event brings its row back from the store"
    if cut is None:
        summary = (
            f"the job holds nothing of it in {path}, whose cut is not recorded: it has no events, "
            f"or none within {kept}; {back}"
        )
        return Link(place="state", state="unknown", summary=summary)
    at = f"in checkpoint {cut.checkpoint_id}"
    then = until(whole, by_partition(cut.positions)).counted
    if not then:
        summary = f"the job holds nothing of it {at}: it had no events up to then"
        return Link(place="state", state="fine", summary=summary)
    last_ms = max(each.record.event.timestamp_ms for each in then)
    came = f"its last event up to then came {to_iso(last_ms)}"
    if last_ms + ttl_ms <= now_ms:
        summary = f"the job does not hold it any more {at}: {came}, longer ago than {kept}; {back}"
        return Link(place="state", state="fine", summary=summary)
    summary = (
        f"the job holds nothing of it {at}, although {came}, within {kept}: so it is after a start "
        f"from the store, which begins without state; {back}"
    )
    return Link(place="state", state="note", summary=summary)
