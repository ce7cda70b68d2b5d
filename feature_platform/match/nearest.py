"""Which events a recomputed value counts, and the smallest change that gives the served one. Pure.

It is for values that no stored tile explains: they were right in the store, and wrong where they
were read, or the rows were corrected since.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from feature_platform.clock import to_iso
from feature_platform.lineage.tile_values import name_tile
from feature_platform.match.candidates import Possible
from feature_platform.match.compare import same
from feature_platform.match.judge import Judge, Read
from feature_platform.match.states import Event, Told
from feature_platform.serving.read_plan import ResolvedFeature
from feature_platform.tiles.cover import Cover, cover
from feature_platform.tiles.grid import Grid
from feature_platform.training.answers import feature_columns
from feature_platform.words import counted

NAMED_MAX = 10
"""Events, or tiles, that are named; the others are counted."""
ADDED_MAX = 500_000
"""Events that are added up for one value, over all changes that are tried."""
NO_CHANGE = "no single tile or event that is left out, or counted twice, gives the served value"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    what: str
    held: tuple[Event, ...]


def nearest(
    judge: Judge, everything: Told, read: Read, at: int, wanted: ResolvedFeature, edge_ms: int
) -> str:
    """Say which tiles and events make a recomputed value, and what would make the served one.

    Args:
        judge: Of the feature set.
        everything: Which has all events of the row, from the first one on.
        read: The row.
        at: The feature's position in the list.
        wanted: The feature.
        edge_ms: The coarser tail edge that serving is prepared with.
    """
    opened = everything.rows[read.row]
    grid = everything.shape.part.group.snapshot.layout.grid
    tiles = (
        cover(grid, wanted.levels, wanted.window_ms, read.instant_ms, "now", edge_ms=edge_ms)
        if wanted.window_ms
        else None
    )
    window = _window(tiles, grid)
    if opened.more:
        return f"{window}; it has too many events to list"
    known = Possible.of(opened, read.bounds, judge.topic).known(read.read_ms)
    inside = tuple(
        event for event in known if tiles is None or tiles.lo_ms <= event.time_ms < tiles.hi_ms
    )
    counts = f"it counts {counted(len(inside), 'event')}"
    listed = f": {spelled(judge.topic, inside)}" if inside else ""
    tries = max(1, ADDED_MAX // max(1, len(inside)))
    changes = list(islice(_changes(judge.topic, inside, tiles, grid), tries))
    found = everything.states([(opened, change.held) for change in changes])
    column = feature_columns(found, np.full(len(changes), read.instant_ms), judge.wishes)[at]
    served = judge.logged[at].take(pa.array([read.row] * len(changes), pa.int64()))
    fits = np.flatnonzero(same(served, column))
    change = f"the served value is that {changes[fits[0]].what}" if len(fits) else NO_CHANGE
    return f"{window}; {counts}{listed}; {change}"


def spelled(topic: str, events: Sequence[Event]) -> str:
    """Name the newest events, by partition, offset and time."""
    newest = sorted(events, key=lambda each: (each.time_ms, each.partition, each.offset))
    named = ", ".join(
        f"{topic}/{event.partition}: {event.offset} of {to_iso(event.time_ms)}"
        for event in newest[-NAMED_MAX:]
    )
    more = len(newest) - NAMED_MAX
    return named + (f" and {more} earlier ones" if more > 0 else "")


def _window(tiles: Cover | None, grid: Grid) -> str:
    if tiles is None:
        return "it is about all events so far"
    names = [name_tile(grid, tile) for tile in tiles.tiles]
    more = f" and {len(names) - NAMED_MAX} earlier ones" if len(names) > NAMED_MAX else ""
    return (
        f"its window was {to_iso(tiles.lo_ms)} to {to_iso(tiles.hi_ms)}, in "
        f"{', '.join(names[-NAMED_MAX:])}{more}"
    )


def _changes(
    topic: str, inside: tuple[Event, ...], tiles: Cover | None, grid: Grid
) -> Iterator[_Change]:
    """Yield changes, the smallest first: of one event, of one finest tile, of one read tile."""
    for event in reversed(inside):
        one = spelled(topic, [event])
        others = tuple(each for each in inside if each is not event)
        yield _Change(what=f"without {one}", held=others)
        yield _Change(what=f"with {one} twice", held=(*inside, event))
    finest = {(0, grid.floor(event.time_ms, 0)) for event in inside}
    for level, start_ms in (*sorted(finest, reverse=True), *(tiles.tiles if tiles else ())):
        end_ms = start_ms + grid.levels_ms[level]
        held = tuple(each for each in inside if not start_ms <= each.time_ms < end_ms)
        gone = tuple(each for each in inside if start_ms <= each.time_ms < end_ms)
        if gone:
            tile = name_tile(grid, (level, start_ms))
            events = spelled(topic, gone)
            yield _Change(what=f"without the {tile}: {events}", held=held)
            yield _Change(what=f"with the {tile} twice: {events}", held=(*inside, *gone))
