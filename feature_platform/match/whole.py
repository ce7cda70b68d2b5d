"""Which served values can be recomputed: those that counted all that is in the log. Pure."""

from collections.abc import Sequence

from feature_platform.plan.expected import answers_from_ms
from feature_platform.plan.snapshot import Snapshot, since_of
from feature_platform.registry.base import Attempt
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.read_plan import ResolvedFeature

READERS_MS = 15_000
"""How long readers may still use what was deployed before."""


def of_present(snapshot: Snapshot, attempts: Sequence[Attempt], reads_ms: Ints) -> Mask:
    """Return which rows were read of the present generation, and not before a rollback.

    What an upgrade has changed in a generation is known of each feature; see `is_whole`.
    """
    rolled_back_ms = [each.claimed_ms for each in attempts if each.kind == "sweep"]
    replaced_ms = [snapshot.deployed_ms] if snapshot.generation > 1 else []
    begun_ms = [*rolled_back_ms, *replaced_ms]
    since_ms = max(begun_ms) + READERS_MS if begun_ms else 0
    found: Mask = reads_ms >= since_ms
    return found


def is_whole(
    snapshot: Snapshot, wanted: ResolvedFeature, instants_ms: Ints, complete_ms: int
) -> Mask:
    """Return in which rows a value had counted all events that it is about.

    Args:
        snapshot: What is deployed.
        wanted: The feature.
        instants_ms: Of each row.
        complete_ms: Events that the broker took after this are all in the event log; 0: all are.
    """
    since_ms = max(wanted.valid_from_ms, complete_ms)
    grid = snapshot.layout.grid
    if not wanted.window_ms:
        lifetime = grid.lifetime_level
        whole = all(not since_of(snapshot, column, lifetime) for column in wanted.columns)
        return (instants_ms >= 0) & (whole and not since_ms)
    kept = [answers_from_ms(snapshot, column, wanted.window_ms) for column in wanted.columns]
    if None in kept:
        return instants_ms < 0
    kept_ms = max(each for each in kept if each is not None)
    tails_ms = instants_ms - wanted.window_ms - max(grid.levels_ms[at] for at in wanted.levels)
    begins_ms = since_ms + snapshot.max_future_ms if since_ms else 0
    found: Mask = (instants_ms >= kept_ms) & ((tails_ms >= begins_ms) | (begins_ms == 0))
    return found
