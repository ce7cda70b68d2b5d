"""Both forms of what is kept say the same of the same rows."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from feature_platform.rows.codec import decode_head, decode_row
from feature_platform.serving.compact import Slots
from feature_platform.serving.compiled import Core
from feature_platform.serving.forms import CompactForm, Form, RowsForm, compact_spans
from feature_platform.store.base import HEAD_LEVEL, StoredRow, TileKey
from feature_platform.testing import Deployed
from feature_platform.tiles.layout import EVENTS_ID
from tests.unit.serving.conftest import make_event

HOURS = 30


@pytest.fixture(autouse=True, scope="session")
def _implementation() -> None:
    """These tests run both."""


@pytest.fixture(name="rows")
def _rows(world: Deployed) -> list[list[StoredRow]]:
    """Return all rows of some entities, of many events."""
    chance = random.Random(3)  # noqa: S311 - no secret
    world.oracle.add(
        make_event(
            chance.choice("abc"),
            chance.uniform(0, HOURS * 60),
            offset,
            action="view",
            watch=chance.choice([1, -300, 2**40, 2**62]),
            score=chance.random(),
        )
        for offset in range(100, 300)
    )
    found = []
    for entity in ("a", "b", "nobody", "c"):
        expected = world.oracle.entity(entity)
        rows = expected.rows if expected else {}
        found.append(
            [
                StoredRow(level=level, start_ms=start_ms, payload=payload, written=7)
                for (level, start_ms), payload in sorted(rows.items())
            ]
        )
    return found


@pytest.fixture(name="compact")
def _compact(world: Deployed, compiled: Core) -> CompactForm:
    form = CompactForm.of(compiled, world.snapshot.layout)
    assert form is not None
    return form


def _counted(row: bytes) -> int:
    return decode_row(row).counters.get(EVENTS_ID, 0)


def test_events_are_counted_by_level(
    world: Deployed, compact: CompactForm, rows: list[list[StoredRow]]
) -> None:
    """In the head's tiles, and in closed ones; lifetime has all."""
    levels = world.snapshot.layout.grid.lifetime_level + 1
    heads, closed = np.zeros((2, len(rows), levels), dtype=np.int64)
    for place, found in enumerate(rows):
        for row in found:
            if row.level == HEAD_LEVEL:
                for level, _, tile in decode_head(row.payload):
                    heads[place, level] += tile.counters.get(EVENTS_ID, 0)
            else:
                closed[place, row.level] += _counted(row.payload)
    assert closed.sum() > 100
    forms: Sequence[Form] = (compact, RowsForm(world.snapshot.layout))
    for form in forms:
        actual = form.events(form.keep(rows))
        np.testing.assert_array_equal(actual[0], heads)
        np.testing.assert_array_equal(actual[1], closed)


def test_tiles_are_left_out_by_their_keys(
    world: Deployed, compact: CompactForm, rows: list[list[StoredRow]]
) -> None:
    """What remains is the same as if they had not been read."""
    closed = [row for row in rows[0] if row.level >= 0]
    gone: set[TileKey] = {(row.level, row.start_ms) for row in closed[::3]}
    left = [row for row in closed if (row.level, row.start_ms) not in gone]
    forms: Sequence[Form] = (compact, RowsForm(world.snapshot.layout))
    for form in forms:
        (piece,), (expected,) = form.keep([closed]).closed, form.keep([left]).closed
        assert form.without(piece, gone) == expected
        assert form.without(expected, gone) == expected
        assert form.without(expected, {(row.level, row.start_ms) for row in left}) == b""


@pytest.mark.parametrize("more", [0, 300])
def test_compact_tiles_are_told_apart(
    world: Deployed, compiled: Core, rows: list[list[StoredRow]], more: int
) -> None:
    """Of few slots and of more than a byte can number, with texts and lists."""
    layout = world.snapshot.layout
    wide = [
        type(layout.columns[0])(
            id=1_000 + number,
            name=str(number),
            kind="sum",
            carrier="int",
            n=0,
            levels=(),
            lifetime=False,
        )
        for number in range(more)
    ]
    slots = Slots.of([*layout.columns, *wide])
    form = CompactForm(core=compiled, layout=layout, slots=slots)
    pieces = form.keep(rows)
    for place, found in enumerate(rows):
        keys = [key for key, _, _ in compact_spans(pieces.closed[place], slots)]
        assert keys == [(row.level, row.start_ms) for row in found if row.level >= 0]
        heads = [decode_head(row.payload) for row in found if row.level == HEAD_LEVEL]
        tiles = [(level, start_ms) for level, start_ms, _ in (heads[0] if heads else ())]
        assert [key for key, _, _ in compact_spans(pieces.heads[place], slots)] == tiles
