"""Where stored tiles are right, a finding says what the value counts and what was left out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_platform.engines.spark_facts import StatesTold
from feature_platform.match import naming
from feature_platform.match.bounds import Bounds
from feature_platform.match.judge import Judge, Judged, Read
from feature_platform.match.nearest import NO_CHANGE, nearest
from feature_platform.match.states import MORE, WHOLE, Told
from feature_platform.training.answers import SlotShape
from feature_platform.training.asked import asked_list
from tests.unit.checks.bench import counted_bench
from tests.unit.feature_log.test_client_logs import NOW_MS, make_world
from tests.unit.match.test_judge import LISTED, TOPIC, Line, line_table

NOTHING: Line = (WHOLE, 0, 0, 0, 0, None)
TWO: Line = (0, 3, 900, 1_000, 2, "two")
FOUR: Line = (1, 7, 400, 400, 4, "four")
EARLIER: Line = (0, 1, 500_000, 590_000, 8, "eight")
BESIDE: Line = (0, 2, 499_000, 590_001, 16, "sixteen")
LATER: Line = (0, 9, -5_000, 0, 64, "later")
EVERY = [NOTHING, EARLIER, BESIDE, TWO, FOUR, LATER]
MORE_THERE: Line = (MORE, 0, 0, 0, 0, None)


def told(tmp_path: Path, lines: Sequence[Line], served: int, at: int = 0) -> str:
    """Say what is nearest to a value that was served."""
    asked = asked_list(LISTED, [make_world(tmp_path).snapshot])
    (part,) = asked.parts
    shape = SlotShape(part)
    values = pa.chunked_array([pa.array([served], pa.int64())])
    judge = Judge(
        told=Told(shape, line_table(shape, lines, 0)),
        topic=TOPIC,
        wishes=asked.wishes,
        logged={at: values},
        comparable={at: np.full(1, True)},
    )
    bounds = Bounds(lower={}, upper={f"{TOPIC}/0": 9, f"{TOPIC}/1": 9}, replays=False)
    read = Read(row=0, entity="p1", instant_ms=NOW_MS, read_ms=NOW_MS, bounds=bounds)
    return nearest(judge, judge.told, read, at, part.group.wanted[at], edge_ms=0)


@pytest.mark.parametrize(
    ("served", "change"),
    [
        (26, "the served value is that without events/1: 7 of"),
        (28, "the served value is that without events/0: 3 of"),
        (32, "the served value is that with events/0: 3 of"),
        (6, "the served value is that without the 1m tile of"),
        (54, "the served value is that with the 1m tile of"),
        (1_000, NO_CHANGE),
    ],
)
def test_the_smallest_change_is_found(tmp_path: Path, served: int, change: str) -> None:
    """One event or one tile, left out or twice; what was not known then is nothing of it."""
    found = told(tmp_path, EVERY, served)

    assert change in found
    assert "it counts 4 events: events/0: 2 of" in found
    assert "events/0: 9" not in found
    assert "its window was 2023-11-14T21:44:00Z to 2023-11-14T22:30:00Z, in " in found
    assert "tile of 2023-11-14T22:" in found


def test_too_many_events_are_not_searched(tmp_path: Path) -> None:
    """It says so, and names the window still."""
    found = told(tmp_path, [NOTHING, TWO, MORE_THERE], 1)

    assert "too many events to list" in found
    assert "its window was" in found


def test_a_finding_names_the_tile_in_the_store_else_what_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark is asked again, from the first event on, only about values whose tiles are right."""
    world = make_world(tmp_path)
    asked = asked_list(LISTED, [world.snapshot])
    (part,) = asked.parts
    shape = SlotShape(part)
    rows = pa.table({LISTED.features[0].column: pa.array([28, 28], pa.int64())})
    bounds = Bounds(lower={f"{TOPIC}/0": 3}, upper={f"{TOPIC}/0": 9}, replays=False)
    read, other = (
        Read(row=row, entity=name, instant_ms=NOW_MS, read_ms=NOW_MS, bounds=bounds)
        for row, name in enumerate(("p1", "p2"))
    )
    (column, *_) = part.group.wanted[0].feature.columns
    monkeypatch.setattr(naming, "first_tiles", lambda *_: {("p2", column): "a tile of p2"})
    again: list[Read] = []

    def told_of(reads: Sequence[Read]) -> tuple[StatesTold, Told]:
        again.extend(reads)
        return StatesTold(archived={}, complete_ms=0), Told(shape, line_table(shape, EVERY, 0))

    judge = Judge(
        told=Told(shape, line_table(shape, [NOTHING], 0)),
        topic=TOPIC,
        wishes=asked.wishes,
        logged={0: rows[0]},
        comparable={0: np.full(2, fill_value=True)},
    )
    named = naming.Naming(
        reads=counted_bench(world.featureset, tmp_path).reads,
        asked=asked,
        part=part,
        rows=rows,
        judge=judge,
        told_of=told_of,
    )
    different = [
        Judged(read=each, verdicts={0: "different"}, expected={0: 30}) for each in (other, read)
    ]

    first, second = named.texts(different)

    assert [(each.entity, each.bounds.lower) for each in again] == [("p1", {})]
    assert "of 'p1'" in first
    assert "served 28, recomputed 30; the stored tiles are what their events say now" in first
    assert "the served value is that without events/0: 3 of" in first
    assert second.endswith("served 28, recomputed 30; a tile of p2")
