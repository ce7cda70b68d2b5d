"""The columns are the same from the core and from numpy, finished together or one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.rows.partials import Item, Partial
from feature_platform.serving import assemble
from feature_platform.serving.compiled import Core
from feature_platform.serving.finish import finish, nothing
from feature_platform.serving.matrix import Column
from feature_platform.serving.read_plan import Group, ReadPlan, ResolvedFeature
from feature_platform.serving.tiles import merge_tiles
from feature_platform.store.base import HEAD_LEVEL, StoredRow
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.cover import Cover
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Carrier, Kind, Layout, LayoutColumn

GRID = Grid(levels_ms=(1_000, 5_000, 60_000), depth=(3, 1, 2))
LEVELS = (0, 1, 2)
CARRIERS: dict[str, Carrier] = {"DOUBLE": "real", "STRING": "text"}
NUMBERS = ("BIGINT", "INT", "DOUBLE", "DECIMAL(10,2)")
TYPES: dict[str, tuple[str, ...]] = {
    "count": ("BIGINT",),
    "sum": NUMBERS,
    "avg": NUMBERS,
    "min": (*NUMBERS, "TIMESTAMP"),
    "max": (*NUMBERS, "BOOLEAN"),
    "first": ("BIGINT", "BOOLEAN", "DOUBLE", "STRING"),
    "last": ("DECIMAL(10,2)", "STRING"),
    "last_n": ("BIGINT", "STRING", "DOUBLE"),
}
PARTS = {"sum": ("#high", "#beyond"), "avg": ("#count", "#high", "#beyond")}
"""What completes a sum; older layouts lack the last two."""
INT64 = st.integers(-(2**63), 2**63 - 1)
COUNTERS = st.integers(-3, 3) | st.integers(-40_000, 40_000) | st.integers(2**31, 2**40) | INT64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A feature that is asked for."""

    aggregate: str
    value_type: str
    scale: int
    columns: tuple[LayoutColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was read, and what is asked of it."""

    features: tuple[Wanted, ...]
    layout: Layout
    covers: dict[int, Cover]
    rows: list[list[StoredRow]]
    mode: str


@st.composite
def _features(draw: st.DrawFn) -> tuple[Wanted, ...]:
    first, step = draw(st.sampled_from([(1, 1), (140, -1), (16_380, 3)]))
    ids = count(first, step)
    made = []
    for _ in range(draw(st.integers(1, 4))):
        aggregate = draw(st.sampled_from(sorted(TYPES)))
        value_type = draw(st.sampled_from(TYPES[aggregate]))
        parts = PARTS.get(aggregate, ())
        kept = parts if draw(st.booleans()) else parts[: 1 if aggregate == "avg" else 0]
        kind: Kind = "sum" if aggregate == "avg" else aggregate  # type: ignore[assignment]
        columns = (
            _column(next(ids), "total", kind, CARRIERS.get(value_type, "int")),
            *(_column(next(ids), f"total{part}", _part(part), "int") for part in kept),
        )
        scale = draw(st.integers(0, 9)) if value_type not in {"BIGINT", "INT"} else 0
        made.append(
            Wanted(aggregate=aggregate, value_type=value_type, scale=scale, columns=columns)
        )
    return tuple(made)


def _part(part: str) -> Kind:
    return "sum" if part == "#high" else "count"


def _column(key: int, name: str, kind: Kind, carrier: Carrier) -> LayoutColumn:
    return LayoutColumn(
        id=key, name=name, kind=kind, carrier=carrier, n=2, levels=LEVELS, lifetime=True
    )


@st.composite
def _payloads(draw: st.DrawFn, layout: Layout) -> bytes:
    """Draw the canonical row of a tile, some of its columns without a partial."""
    partials = {
        column.id: draw(_partials(column))
        for column in layout.columns
        if draw(st.sampled_from([True, True, False]))
    }
    return encode_row(layout, partials)


def _partials(column: LayoutColumn) -> st.SearchStrategy[Partial]:
    if column.name.endswith("#beyond"):
        return st.sampled_from([0, 0, 0, 1])
    if column.kind in {"count", "sum", "min", "max"}:
        return COUNTERS
    values: dict[Carrier, st.SearchStrategy[Any]] = {
        "int": INT64,
        "real": st.floats(allow_nan=False),
        "text": st.text(max_size=3),
    }
    times, places = st.integers(0, 2**40), st.integers(0, 9)
    items = st.builds(Item, times, places, places, values[column.carrier])
    most = column.n if column.kind == "last_n" else 1
    listed = st.lists(items, max_size=most, unique_by=lambda item: item.order)
    return listed.map(lambda found: tuple(sorted(found, key=lambda each: each.order)[::-1]))


def _places(levels: Sequence[int]) -> st.SearchStrategy[tuple[int, int]]:
    return st.sampled_from(levels).flatmap(
        lambda level: st.tuples(
            st.just(level),
            st.integers(-2, 9).map(lambda place: place * (*GRID.levels_ms, 0)[level]),
        )
    )


@st.composite
def _entities(draw: st.DrawFn, payloads: Sequence[bytes]) -> list[StoredRow]:
    rows = st.sampled_from(payloads)
    closed = draw(st.dictionaries(_places(LEVELS), rows, max_size=5))
    found = [
        StoredRow(level=level, start_ms=start_ms, payload=payload, written=1)
        for (level, start_ms), payload in sorted(closed.items())
    ]
    if draw(st.booleans()):
        head = encode_head(draw(st.dictionaries(_places((*LEVELS, 3)), rows, max_size=5)))
        found.insert(0, StoredRow(level=HEAD_LEVEL, start_ms=0, payload=head, written=1))
    return found


@st.composite
def _asked(draw: st.DrawFn) -> Asked:
    features = draw(_features())
    columns = tuple(column for wanted in features for column in wanted.columns)
    layout = Layout(grid=GRID, retention_ms=(0, 0, 0), columns=columns)
    covers = {
        1_000 * window: Cover(lo_ms=0, hi_ms=0, tiles=tuple(sorted(tiles)))
        for window, tiles in enumerate(
            draw(st.lists(st.sets(_places(LEVELS), max_size=7), max_size=2)), start=1
        )
    }
    payloads = draw(st.lists(_payloads(layout), min_size=1, max_size=4))
    return Asked(
        features=features,
        layout=layout,
        covers=covers,
        rows=draw(st.lists(_entities(payloads), max_size=3)),
        mode=draw(st.sampled_from(["now", "now", "past"])),
    )


def _plan(featureset: FeatureSet, asked: Asked) -> ReadPlan:
    snapshot = snapshot_of(featureset)
    wanted = tuple(
        ResolvedFeature(
            name="any",
            valid_from_ms=0,
            feature=replace(
                snapshot.features[0],
                aggregate=each.aggregate,  # type: ignore[arg-type]
                carrier=each.columns[0].carrier,
                value_type=each.value_type,
                scale=each.scale,
            ),
            window_ms=window_ms,
            columns=each.columns,
            levels=LEVELS,
        )
        for each in asked.features
        for window_ms in (*asked.covers, 0)
    )
    group = Group(
        snapshot=replace(snapshot, layout=asked.layout),
        wanted=wanted,
        positions=tuple(range(len(wanted))),
    )
    return ReadPlan(group=group, mode=asked.mode, covers=asked.covers, keys=())  # type: ignore[arg-type]


def _columns(core: Core | None, plan: ReadPlan, asked: Asked) -> tuple[Column, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble, "core", lambda: core)
        found = np.zeros(len(asked.rows), dtype=np.int8)
        values = assemble.assemble(plan, assemble.merge(plan, asked.rows), found)
    return tuple(values.column(place) for place in range(len(plan.group.wanted)))


def _one_by_one(plan: ReadPlan, asked: Asked) -> tuple[Column, ...]:
    """Finish every feature on its own, by numpy."""
    merged = merge_tiles(plan, asked.rows)
    return tuple(
        finish(merged, wanted)
        if plan.has_value(wanted)
        else nothing(wanted.feature, merged.entity_count)
        for wanted in plan.group.wanted
    )


@pytest.fixture(autouse=True, scope="session")
def _implementation() -> None:
    """These tests choose for themselves which they run."""


@given(asked=_asked())
@settings(max_examples=60)
def test_both_serve_the_same_columns(compiled: Core, featureset: FeatureSet, asked: Asked) -> None:
    """Any features of any layout: values, presence, sums that are lost, sums beyond 64 bits."""
    plan = _plan(featureset, asked)
    reference = _one_by_one(plan, asked)
    for core in (compiled, None):
        for actual, expected in zip(_columns(core, plan, asked), reference, strict=True):
            np.testing.assert_array_equal(actual.data, expected.data, strict=True)
            np.testing.assert_array_equal(actual.present, expected.present, strict=True)
            assert (actual.lost is None) == (expected.lost is None)
            if actual.lost is not None and expected.lost is not None:
                np.testing.assert_array_equal(actual.lost, expected.lost, strict=True)
            assert (actual.large, actual.filled) == (expected.large, expected.filled)
