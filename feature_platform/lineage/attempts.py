"""What attempts and cuts of a generation say: has it recovered, where may it restart from. Pure.

The words are those of `docs/architecture.md`: an attempt is recovered once it has counted again all
that any attempt before it can have counted; its restore point is the epoch that it starts from.
"""

from collections.abc import Iterable, Mapping, Sequence

from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.registry.history import GENESIS, History, history, holds

Offsets = Mapping[str, int]

BACKFILL = "backfill"
"""Kind of the attempt that writes a generation before its job begins."""


def behind(positions: Offsets, ends: Offsets) -> int:
    """Return how many events of a topic are past the positions."""
    return sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())


def newest(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt with the largest number; None before the first."""
    return max(attempts, key=lambda attempt: attempt.attempt, default=None)


def recovered_at(attempt: Attempt, positions: Offsets) -> bool:
    """Return whether an attempt at these positions is past all that earlier attempts counted."""
    is_first = attempt.attempt == 1 and attempt.restore_point == GENESIS
    return is_first or not behind(positions, attempt.end_offsets)


def left_to_recover(attempt: Attempt, cuts: Iterable[Cut]) -> int:
    """Return how many events an attempt, as of its newest cut, still has to count again.

    Args:
        attempt: The running one.
        cuts: Complete cuts, newest first; read only as far as they are the attempt's.
    """
    if recovered_at(attempt, {}):
        return 0
    newest_cut = next(iter(cuts), None)
    is_own = newest_cut is not None and newest_cut.attempt == attempt.attempt
    positions = newest_cut.positions if newest_cut and is_own else {}
    return behind(positions, attempt.end_offsets)


def last_unclean_end_ms(attempts: Iterable[Attempt]) -> int:
    """Return when the newest attempt began whose predecessor ended uncleanly; 0 if none did.

    From then on a task of that predecessor may still be writing, for the zombie grace at most.
    """
    unclean = [item for item in attempts if not item.clean and not _is_first(item)]
    return max((item.claimed_ms for item in unclean), default=0)


def dirty_since_ms(cut: Cut, attempts: Iterable[Attempt]) -> int:
    """Return since when rows may hold what an abandoned attempt wrote, if started from a cut.

    It is carried on from one unrecovered attempt to the next: a chain of them is as old as its
    first.
    """
    owner = next((item for item in attempts if item.attempt == cut.attempt), None)
    if owner is None or recovered_at(owner, cut.positions):
        return cut.recorded_ms
    return min(cut.recorded_ms, owner.dirty_since_ms)


def line_of(attempts: Sequence[Attempt]) -> History:
    """Return the history of the newest attempt: only its epochs may be started from."""
    last = newest(attempts)
    return history(attempts, last.attempt if last else GENESIS[0])


def newest_cut(cuts: Iterable[Cut], attempts: Sequence[Attempt]) -> Cut | None:
    """Return the newest cut that may be started from; those that a start has passed by are dead.

    Without any cut the empty table is one, at the beginning of the topic.

    Args:
        cuts: Complete cuts, newest first; read until one is found.
        attempts: All attempts of the generation.
    """
    line = line_of(attempts)
    rewritten = [
        item.attempt for item in attempts if item.kind != "stream" and item.attempt in line
    ]
    first = max(rewritten, default=GENESIS[0])
    for cut in cuts:
        if cut.attempt < first:
            return None
        if holds(line, cut.epoch):
            return cut
    if first or not attempts:
        return None
    began_ms = min(item.claimed_ms for item in attempts)
    return Cut(attempt=GENESIS[0], checkpoint_id=GENESIS[1], positions={}, recorded_ms=began_ms)


def ends_with(attempts: Sequence[Attempt], cut: Cut) -> bool:
    """Return whether all that was ever written is finished at a cut, however old it is.

    So it is at the end of a backfill, a sweep or a repair until somebody starts after it.
    """
    last = newest(attempts)
    return last is not None and last.attempt == cut.attempt and last.kind != "stream"


def may_have_left(attempts: Sequence[Attempt], cut: Cut) -> list[int]:
    """Return the attempts that may have left rows behind which a start from a cut makes wrong."""
    since_ms = dirty_since_ms(cut, attempts)
    line = history(attempts, cut.attempt, cut.checkpoint_id)
    return [
        item.attempt
        for item in attempts
        if item.attempt >= cut.attempt or (item.attempt not in line and item.claimed_ms >= since_ms)
    ]


def passed_by(attempts: Sequence[Attempt], point: Epoch) -> bool:
    """Return whether any attempt has been claimed after the one of an epoch."""
    last = newest(attempts)
    return last is not None and last.attempt > point[0]


def _is_first(attempt: Attempt) -> bool:
    return attempt.attempt == 1 and attempt.restore_point == GENESIS
