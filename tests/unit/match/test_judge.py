"""Each value is equal, explained by events, different, or undecided."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.match.bounds import Bounds
from feature_platform.match.judge import Judge, Judged, Read, Verdict
from feature_platform.match.states import MORE, WHOLE, Told, encoded_items
from feature_platform.rows.partials import Item
from feature_platform.training.answers import SlotShape
from feature_platform.training.asked import asked_list
from tests.unit.feature_log.test_client_logs import NOW_MS, make_world

TOPIC = "events"
LISTED = FeatureList(
    name="home",
    version=1,
    features=(
        ListedFeature(name="posts.views_30m"),
        ListedFeature(name="posts.action", default="none"),
        ListedFeature(name="posts.watches"),
    ),
)
TILE_MS = NOW_MS // 60_000 * 60_000
"""Where the finest tile of the instant begins."""
Line = tuple[int, int, int, int, int, str | None]
"""Partition, offset, append and event time before `NOW_MS`, count, and action."""
BEFORE: Line = (WHOLE, 0, 0, 0, 7, "old")
FIRST: Line = (0, 10, 900, 1_000, 1, "first")
SECOND: Line = (0, 11, 400, 500, 1, "second")
LATE: Line = (0, 11, 400, 3_600_000, 1, None)
SOON: Line = (0, 11, -300, 0, 1, "soon")
OTHER: Line = (1, 5, 300, 350, 1, "other")


def judged(
    tmp_path: Path,
    lines: Sequence[Line],
    served: tuple[int | None, str | None],
    *,
    upper: int = 100,
    lower: int = 10,
    replays: bool = False,
    comparable: bool = True,
) -> Judged:
    """Judge a row that was served; the third feature has no value, rightly."""
    (found,) = judged_rows(
        tmp_path,
        [(lines, served)],
        upper=upper,
        lower=lower,
        replays=replays,
        comparable=comparable,
    )
    return found


def judged_rows(
    tmp_path: Path,
    rows: Sequence[tuple[Sequence[Line], tuple[int | None, str | None]]],
    *,
    upper: int = 100,
    lower: int = 10,
    replays: bool = False,
    comparable: bool = True,
) -> list[Judged]:
    """Judge rows, each with its lines and what was served; return them by their numbers."""
    snapshot = make_world(tmp_path).snapshot
    asked = asked_list(LISTED, [snapshot])
    (part,) = asked.parts
    shape = SlotShape(part)
    table = pa.concat_tables([line_table(shape, each, row) for row, (each, _) in enumerate(rows)])
    values = (
        pa.array([served[0] for _, served in rows], pa.int64()),
        pa.array([served[1] for _, served in rows], pa.string()),
        pa.nulls(len(rows)),
    )
    judge = Judge(
        told=Told(shape, table),
        topic=TOPIC,
        wishes=asked.wishes,
        logged={at: pa.chunked_array([each]) for at, each in enumerate(values)},
        comparable={at: np.full(len(rows), comparable) for at in range(3)},
    )
    bounds = Bounds(
        lower={f"{TOPIC}/0": lower, f"{TOPIC}/1": 0},
        upper={f"{TOPIC}/0": upper, f"{TOPIC}/1": upper},
        replays=replays,
    )
    reads = [
        Read(row=row, entity="p1", instant_ms=NOW_MS, read_ms=NOW_MS, bounds=bounds)
        for row in range(len(rows))
    ]
    return sorted(judge.judge(reads), key=lambda each: each.read.row)


def line_table(shape: SlotShape, lines: Sequence[Line], number: int) -> pa.Table:
    """Return what Spark would write of a row."""
    columns = shape.columns
    rows = []
    for part, offset, appended, time, count, action in lines:
        row: dict[str, object] = {
            "row": number,
            "partition": part,
            "offset": offset,
            "appended": NOW_MS - appended,
            "time": NOW_MS - time,
            "known": True,
            "counters": np.full(len(shape.places), count, dtype="<i8").tobytes(),
        }
        for slot, name in shape.items.items():
            is_action = columns[slot[0]].carrier == "text"
            item = Item(NOW_MS - time if part >= 0 else 0, part % 7, offset, action or "")
            row[name] = encoded_items([item], "text") if action and is_action else None
        rows.append(row)
    names = ["row", "partition", "offset", "appended", "time", *shape.schema.names[1:]]
    types = {"partition": pa.int32(), "known": pa.bool_(), "counters": pa.binary()}
    types |= dict.fromkeys(shape.items.values(), pa.binary())
    schema = pa.schema([(name, types.get(name, pa.int64())) for name in names])
    return pa.Table.from_pylist(rows, schema)


@pytest.mark.parametrize(
    ("lines", "served", "verdicts", "offsets"),
    [
        ([BEFORE], (7, "old"), ("equal", "equal"), []),
        ([BEFORE], (8, "old"), ("different", "equal"), []),
        ([BEFORE], (None, "old"), ("different", "equal"), []),
        ([BEFORE, FIRST, SECOND], (9, "second"), ("equal", "equal"), []),
        ([BEFORE, FIRST, SECOND], (8, "first"), ("stale", "stale"), [11]),
        ([BEFORE, FIRST, SECOND], (7, "old"), ("stale", "stale"), [10, 11]),
        ([BEFORE, FIRST, SECOND], (8, "second"), ("different", "equal"), []),
        ([BEFORE, FIRST, SECOND], (6, "old"), ("different", "stale"), [10, 11]),
        ([BEFORE, FIRST, LATE], (8, "first"), ("late", "equal"), [11]),
        ([BEFORE, FIRST, SOON], (9, "soon"), ("ahead", "ahead"), [11]),
        ([BEFORE, FIRST, SOON], (8, "first"), ("equal", "equal"), []),
        ([BEFORE, FIRST, SECOND, OTHER], (8, "other"), ("stale", "equal"), [10, 11]),
    ],
)
def test_verdicts(
    tmp_path: Path,
    lines: list[Line],
    served: tuple[int | None, str],
    verdicts: tuple[Verdict, Verdict],
    offsets: list[int],
) -> None:
    """All of a row must be of one state; the events that it lacks explain the rest."""
    found = judged(tmp_path, lines, served)

    assert tuple(found.verdicts[at] for at in range(2)) == verdicts
    assert found.verdicts[2] == "equal"
    assert [event.offset for event in found.events] == offsets


def test_what_was_surely_held_must_be_in(tmp_path: Path) -> None:
    """An event before a cut that was recorded before the read is lost, not stale."""
    found = judged(tmp_path, [BEFORE, FIRST], (7, "old"), lower=11)

    assert found.verdicts == {0: "different", 1: "different", 2: "equal"}
    assert found.expected[0] == 8


def test_what_cannot_have_been_held_explains(tmp_path: Path) -> None:
    """The job was behind: the broker had the event, and the row's next cut has not."""
    found = judged(tmp_path, [BEFORE, FIRST, SECOND], (8, "first"), upper=11)

    assert found.verdicts[0] == "stale"
    assert [event.offset for event in found.events] == [11]
    ahead = judged(tmp_path / "b", [BEFORE, FIRST, SECOND], (9, "second"), upper=11)
    assert ahead.verdicts[0] == "equal", "it is what all that was known gives"


def test_a_replay_explains(tmp_path: Path) -> None:
    """An attempt repeats what one before it had counted."""
    found = judged(tmp_path, [BEFORE, FIRST], (7, "old"), replays=True)

    assert found.verdicts[0] == found.verdicts[1] == "replay"


def test_blame_is_put_on_what_is_wrong_in_other_rows(tmp_path: Path) -> None:
    """One state gives the count, another the action: in other rows it is the count that is odd."""
    odd = ([BEFORE, FIRST, SECOND], (8, "old"))
    alone = judged_rows(tmp_path / "alone", [odd])
    counts = judged_rows(tmp_path / "counts", [odd, *[([BEFORE], (99, "old"))] * 3])
    actions = judged_rows(tmp_path / "actions", [odd, *[([BEFORE], (7, "odd"))] * 3])

    assert sorted(alone[0].verdicts.values()) == ["different", "equal", "stale"]
    assert counts[0].verdicts == {0: "different", 1: "stale", 2: "equal"}
    assert actions[0].verdicts == {0: "stale", 1: "different", 2: "equal"}


def test_too_many_events_are_undecided(tmp_path: Path) -> None:
    """Not all are known, so nothing is called wrong."""
    more: Line = (MORE, 0, 0, 0, 0, None)
    found = judged(tmp_path, [BEFORE, FIRST, more], (3, "x"))

    assert set(found.verdicts.values()) == {"undecided"}


def test_what_cannot_be_compared_is_not_judged(tmp_path: Path) -> None:
    """A feature that is younger than its window."""
    found = judged(tmp_path, [BEFORE], (8, "old"), comparable=False)

    assert found.verdicts == {}
