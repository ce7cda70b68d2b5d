"""The compiled core and numpy give the same for whatever rows there are, to the bit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.errors import CorruptRowError
from feature_platform.serving.adding import merge_compactly
from feature_platform.serving.compiled import Core
from feature_platform.serving.read_plan import Group, ReadPlan, ResolvedFeature
from feature_platform.serving.tiles import merge_tiles
from feature_platform.store.base import HEAD_LEVEL, StoredRow
from feature_platform.testing.deployed import snapshot_of
from feature_platform.tiles.cover import Cover
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import COUNTERS, Carrier, Kind, Layout, LayoutColumn

Tile = tuple[int, int]

GRID = Grid(levels_ms=(1_000, 5_000, 60_000), depth=(3, 1, 2))
COUNTER_KINDS: tuple[Kind, ...] = ("count", "sum", "min", "max")
KINDS: tuple[Kind, ...] = (*COUNTER_KINDS, "first", "last_n")
IDS = st.integers(0, 12) | st.integers(120, 135) | st.just(16_400)
INT64 = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.integers(-3, 3) | st.integers(-200, 200) | st.integers(-40_000, 40_000) | INT64


def _varint(value: int, *, padded: int = 0) -> bytes:
    """Write a number, with `padded` more bytes than it needs."""
    octets = bytearray()
    while value > 127:
        octets.append(value & 127 | 128)
        value >>= 7
    octets.append(value)
    if padded:
        octets[-1] |= 128
        octets += b"\x80" * (padded - 1) + b"\x00"
    return bytes(octets)


def _zigzag(value: int) -> int:
    return ((value << 1) ^ (value >> 63)) & (2**64 - 1)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


@st.composite
def _rows(draw: st.DrawFn) -> bytes:
    """Draw a well-formed row, though not always as the kernel would write it."""
    counters = draw(st.dictionaries(IDS, NUMBERS, max_size=14) | st.just({}))
    features = draw(st.dictionaries(IDS, st.binary(max_size=6), max_size=3))
    ordered = sorted(counters.items())
    padded = draw(st.sampled_from([0, 0, 0, 1]))
    parts = [
        _message(2, b"".join(_varint(key) for key, _ in ordered)),
        _message(3, b"".join(_varint(_zigzag(value), padded=padded) for _, value in ordered)),
    ]
    parts = [b"", b""] if not counters and draw(st.booleans()) else parts
    parts += draw(st.lists(st.sampled_from([b"\x20\x07", b"\x2d1234", b"\x31" + b"8" * 8])))
    entries = [
        _message(1, b"\x08" + _varint(key) + _message(2, value))
        for key, value in sorted(features.items())
    ]
    return b"".join([*draw(st.permutations(parts)), *entries])


def _start(levels: Sequence[int]) -> st.SearchStrategy[Tile]:
    return st.sampled_from(levels).flatmap(
        lambda level: st.tuples(
            st.just(level),
            st.integers(-3, 12).map(lambda place: place * GRID.levels_ms[min(level, 2)]),
        )
    )


def _head(tiles: Sequence[tuple[Tile, bytes]]) -> bytes:
    return b"".join(
        _message(
            1,
            b"\x08"
            + _varint(_zigzag(level))
            + b"\x10"
            + _varint(_zigzag(start_ms))
            + (_message(3, row) if row else b""),
        )
        for (level, start_ms), row in tiles
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read, and what is asked of it."""

    columns: tuple[LayoutColumn, ...]
    covers: dict[int, Cover]
    rows: list[list[StoredRow]]


@st.composite
def _reads(draw: st.DrawFn) -> Read:
    kinds = draw(st.dictionaries(IDS, st.sampled_from(KINDS), min_size=1, max_size=12))
    columns = tuple(_column(key, kind) for key, kind in kinds.items())
    covers = {
        1_000 * window: Cover(lo_ms=0, hi_ms=0, tiles=tuple(sorted(tiles)))
        for window, tiles in enumerate(
            draw(st.lists(st.sets(_start((0, 1, 2)), max_size=9), max_size=4)), start=1
        )
    }
    rows = draw(st.lists(_entities(), max_size=4))
    return Read(columns=columns, covers=covers, rows=rows)


def _column(key: int, kind: Kind) -> LayoutColumn:
    carrier: Carrier = "int"
    return LayoutColumn(
        id=key, name=str(key), kind=kind, carrier=carrier, n=2, levels=(0, 1, 2), lifetime=True
    )


@st.composite
def _entities(draw: st.DrawFn) -> list[StoredRow]:
    tiles = draw(st.lists(st.tuples(_start((0, 1, 2, 3, 4)), _rows()), max_size=6))
    heads = [_stored(HEAD_LEVEL, 0, _head(tiles))] if draw(st.booleans()) else []
    closed = draw(st.dictionaries(_start((0, 1, 2)), _rows(), max_size=8))
    own = [_stored(level, start_ms, row) for (level, start_ms), row in closed.items()]
    foreign = [_stored(-2, 5, b"\xff"), _stored(7, 5, b"\xff")] if draw(st.booleans()) else []
    return [*heads, *own, *foreign]


def _stored(level: int, start_ms: int, payload: bytes) -> StoredRow:
    return StoredRow(level=level, start_ms=start_ms, payload=payload, written=1)


@pytest.fixture(autouse=True, scope="session")
def _implementation() -> None:
    """These tests choose for themselves which they run."""


@pytest.fixture(name="plan_of", scope="module")
def _plan_of(featureset: FeatureSet) -> "PlanOf":
    return PlanOf(featureset)


class PlanOf:
    """Makes plans that ask for every column in every window."""

    def __init__(self, featureset: FeatureSet) -> None:
        """Borrow what does not matter from a feature set."""
        self._snapshot = snapshot_of(featureset)

    def __call__(self, read: Read, used_levels: tuple[int, ...] = (0, 1, 2)) -> ReadPlan:
        """Plan what was read."""
        columns = tuple(replace(column, levels=used_levels) for column in read.columns)
        layout = Layout(grid=GRID, retention_ms=(0, 0, 0), columns=columns)
        wanted = tuple(
            ResolvedFeature(
                name="any",
                valid_from_ms=0,
                feature=self._snapshot.features[0],
                window_ms=window_ms,
                columns=(column,),
                levels=used_levels,
            )
            for window_ms in (*read.covers, 0)
            for column in columns
        )
        group = Group(
            snapshot=replace(self._snapshot, layout=layout),
            wanted=wanted,
            positions=tuple(range(len(wanted))),
        )
        return ReadPlan(group=group, mode="now", covers=read.covers, keys=())


def _compare(core: Core, plan: ReadPlan, rows: list[list[StoredRow]]) -> None:
    """Check that both refuse the rows, or that both merge them into the same."""
    try:
        expected = merge_tiles(plan, rows)
    except CorruptRowError:
        assert merge_compactly(core, plan, rows) is None
        return
    actual = merge_compactly(core, plan, rows)
    assert actual is not None
    assert actual.entity_count == expected.entity_count
    for wanted in plan.group.wanted:
        (column,), window_ms = wanted.columns, wanted.window_ms
        if column.kind not in COUNTERS:
            assert list(actual.encoded(column, window_ms)) == list(
                expected.encoded(column, window_ms)
            )
        elif column.kind in {"min", "max"}:
            for mine, other in zip(
                actual.extreme(column, window_ms), expected.extreme(column, window_ms), strict=True
            ):
                np.testing.assert_array_equal(mine, other, strict=True)
        else:
            mine, other = actual.total(column, window_ms), expected.total(column, window_ms)
            np.testing.assert_array_equal(mine, other, strict=True)


@given(read=_reads(), used=st.sampled_from([(0, 1, 2), (1, 2), ()]))
@settings(max_examples=100)
def test_both_merge_drawn_rows_alike(
    compiled: Core, plan_of: PlanOf, read: Read, used: tuple[int, ...]
) -> None:
    """Any layout, windows, heads with replayed rows, missing entities, huge values."""
    _compare(compiled, plan_of(read, used), read.rows)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """Draw a row or a head in which something was changed, cut out or put in."""
    payload = draw(_rows() | st.tuples(_start((0, 3)), _rows()).map(lambda tile: _head([tile])))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(payload)))
        cut = draw(st.integers(0, 2))
        payload = payload[:place] + draw(st.binary(max_size=3)) + payload[place + cut :]
    return payload


@given(
    payload=_damaged() | st.binary(max_size=40),
    level=st.sampled_from([HEAD_LEVEL, 0]),
    kinds=st.dictionaries(IDS, st.sampled_from(KINDS), min_size=1, max_size=8),
)
@settings(max_examples=200)
def test_both_refuse_the_same_bytes(
    compiled: Core, plan_of: PlanOf, payload: bytes, level: int, kinds: dict[int, Kind]
) -> None:
    """Whatever the bytes are, both take them or neither does."""
    read = Read(
        columns=tuple(_column(key, kind) for key, kind in kinds.items()),
        covers={1_000: Cover(lo_ms=0, hi_ms=0, tiles=((0, 0),))},
        rows=[[_stored(level, 0, payload)]],
    )
    _compare(compiled, plan_of(read), read.rows)


LONG = b"\x80" * 9
CORRUPT = {
    "cut off": b"\x12\x05\x01",
    "ends inside a number": b"\x12\x01\x80\x1a\x01\x02",
    "ten bytes are a number": b"\x12\x01\x01\x1a\x0a" + LONG + b"\x01",
    "eleven are not": b"\x12\x01\x01\x1a\x0b\x80" + LONG + b"\x01",
    "more counters than ids": b"\x12\x01\x01\x1a\x02\x02\x02",
    "ids do not ascend": b"\x12\x02\x01\x01\x1a\x02\x02\x02",
    "an id is too large": b"\x12\x05\x80\x80\x80\x80\x10\x1a\x01\x02",
    "ids twice": b"\x12\x01\x01\x12\x00\x1a\x01\x02",
    "a group": b"\x0b",
    "field 0": b"\x00\x00",
    "a tag of five bytes": b"\xf8\xff\xff\xff\x1f\x00",
    "ids as one number": b"\x10\x01",
    "a feature without a value": b"\x0a\x02\x08\x01",
    "features out of order": b"\x0a\x04\x08\x02\x12\x00\x0a\x04\x08\x01\x12\x00",
}


@pytest.mark.parametrize("payload", CORRUPT.values(), ids=CORRUPT)
def test_both_judge_known_cases_alike(compiled: Core, plan_of: PlanOf, payload: bytes) -> None:
    """Cases at the edge of what a row may be."""
    columns = tuple(_column(key, "sum") for key in (1, 2))
    read = Read(columns=columns, covers={}, rows=[[_stored(0, 0, payload)]])
    _compare(compiled, plan_of(read), read.rows)


@pytest.mark.parametrize("counters", [1, 254, 255, 256, 300])
@pytest.mark.parametrize("size", [1, 100, 30_000, 2**31, 2**62])
def test_every_width_of_slots_and_values(
    compiled: Core, plan_of: PlanOf, counters: int, size: int
) -> None:
    """Rows full of counters, nearly full, and nearly empty; each value as wide as the others."""
    ids = range(counters)
    columns = tuple(_column(key, "max" if key % 50 == 49 else "sum") for key in ids)
    rows = []
    for start_ms, kept in enumerate((1, 2, 40)):
        chosen = [key for key in ids if key % kept == 0]
        values = [(-1) ** key * (size + key) for key in chosen]
        row = _message(2, b"".join(map(_varint, chosen))) + _message(
            3, b"".join(_varint(_zigzag(value)) for value in values)
        )
        rows.append(_stored(0, start_ms * 1_000, row))
    cover = Cover(lo_ms=0, hi_ms=0, tiles=((0, 0), (0, 1_000), (0, 2_000)))
    read = Read(columns=columns, covers={1_000: cover}, rows=[rows, [], rows[:1]])
    _compare(compiled, plan_of(read), read.rows)
