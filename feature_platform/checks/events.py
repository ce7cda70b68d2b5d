"""Names the events of tiles that differ, by their offsets in the topic."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_platform.checks.tiles import Difference
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import EventsFound
from feature_platform.engines.spark_request import EventsTask, Place
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.event_log.history import place_in_table
from feature_platform.lineage.tile_values import name_tile
from feature_platform.plan.job_history import HISTORY_PARTITION
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.words import counted

OFFSETS_MAX = 10
ALWAYS = (-(2**53), 2**53)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Events in words."""

    texts: Sequence[str]
    """For each difference, in order."""
    failed: str = ""
    """Why they cannot be named; empty if they are."""


def named(
    reads: Reads,
    spec: JobSpec,
    cut: Cut,
    snapshot: Snapshot,
    differences: Sequence[Difference],
) -> Named:
    """Name the events of each difference.

    A log that is damaged, or Spark, may prevent it: what was found to differ stays found.

    Args:
        reads: Its recounter is asked.
        spec: The job spec of what is deployed.
        cut: Events up to it alone.
        snapshot: What is deployed.
        differences: What differs.

    Raises:
        WorldError: A server did not answer.
    """
    tiles = [_finest(snapshot, differences, item) for item in differences]
    places = [_place(snapshot, item) for item in tiles]
    found: dict[Place, str] = {}
    failed = ""
    try:
        if places:
            task = EventsTask(job=spec, until=cut.positions, places=sorted(set(places)))
            for fact in reads.recounter.events_of(task):
                place = (fact.entity, fact.start_ms, fact.end_ms)
                found[place] = _offsets(snapshot.topic, fact)
    except (EventLogError, SparkFailedError) as error:
        failed = str(error)
    nothing = "its events cannot be listed" if failed else "the event log has no events for it"
    texts = [
        _inside(snapshot, tile, item) + found.get(place, nothing)
        for item, tile, place in zip(differences, tiles, places, strict=True)
    ]
    return Named(texts=texts, failed=failed)


def _finest(snapshot: Snapshot, differences: Sequence[Difference], whole: Difference) -> Difference:
    """Return the finest tile inside a tile that differs in the same column; else that itself.

    The first ten events of a day, or of ever, would not be those to look at.
    """
    _, start_ms, end_ms = _place(snapshot, whole)
    inside = [
        item
        for item in differences
        if (item.entity, item.column) == (whole.entity, whole.column)
        and item.key[0] < whole.key[0]
        and start_ms <= item.key[1] < end_ms
    ]
    return min(inside, key=lambda item: item.key, default=whole)


def _inside(snapshot: Snapshot, tile: Difference, whole: Difference) -> str:
    if tile is whole:
        return ""
    return f"inside it, the {name_tile(snapshot.layout.grid, tile.key)} differs: "


def _place(snapshot: Snapshot, difference: Difference) -> Place:
    """Return the entity and the event times of a tile."""
    level, start_ms = difference.key
    grid = snapshot.layout.grid
    if level == grid.lifetime_level:
        return difference.entity, *ALWAYS
    return difference.entity, start_ms, start_ms + grid.levels_ms[level]


def _offsets(topic: str, fact: EventsFound) -> str:
    parts: dict[str, list[str]] = {}
    for part, offset in fact.offsets[:OFFSETS_MAX]:
        if part == HISTORY_PARTITION:
            parts.setdefault("its history", []).append(place_in_table(offset))
        else:
            parts.setdefault(f"{topic}/{part}", []).append(str(offset))
    listed = "; ".join(f"{place}: {', '.join(all_of)}" for place, all_of in parts.items())
    more = fact.events - min(len(fact.offsets), OFFSETS_MAX)
    return f"its {counted(fact.events, 'event')}: {listed}" + (f" and {more} more" if more else "")
