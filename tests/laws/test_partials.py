"""The laws of partials, over every kind: what makes tiles of any level, stream and batch agree."""

import random
from copy import deepcopy
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.rows.codec import decode_items, decode_row
from feature_platform.rows.partials import (
    Item,
    Partial,
    from_sortable,
    merge,
    merge_all,
    to_sortable,
    wrap,
    zero,
)
from feature_platform.testing.reference_rows import encode_row
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, Carrier, Kind, Layout, LayoutColumn

KINDS: tuple[Kind, ...] = get_args(Kind)
N = 3
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
CARRIED: dict[Carrier, st.SearchStrategy[Any]] = {
    "int": LONGS,
    "real": st.floats(allow_nan=False),
    "text": st.text(max_size=3),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def _updates(kind: Kind, carrier: Carrier = "int") -> st.SearchStrategy[list[Partial]]:
    """Draw what single events contribute; no two share time, partition and offset."""
    if kind == "count":
        return st.lists(st.just(1), max_size=8)
    if kind in COUNTERS:
        return st.lists(LONGS, max_size=8)
    orders = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 20))
    items = st.dictionaries(orders, CARRIED[carrier], max_size=8)
    return items.map(lambda drawn: [(Item(*order, value),) for order, value in drawn.items()])


def _layout(kind: Kind, carrier: Carrier) -> Layout:
    column = LayoutColumn(
        id=7, name="x", kind=kind, carrier=carrier, n=N, levels=(0,), lifetime=True
    )
    return Layout(grid=Grid.of(("1m",)), retention_ms=(0,), columns=(column,))


@each_kind
@given(data=st.data())
def test_zero_changes_nothing(kind: Kind, data: st.DataObject) -> None:
    """The partial of no event is the identity, on both sides."""
    partial = merge_all(kind, N, data.draw(_updates(kind)))

    assert partial == merge(kind, N, partial, zero(kind)) == merge(kind, N, zero(kind), partial)


@each_kind
@given(data=st.data())
def test_grouping_does_not_matter(kind: Kind, data: st.DataObject) -> None:
    """Merging is associative: minutes into hours into days is minutes into days."""
    a, b, c = (merge_all(kind, N, part) for part in _split(data.draw(_updates(kind)), 3, data))

    left = merge(kind, N, merge(kind, N, a, b), c)

    assert left == merge(kind, N, a, merge(kind, N, b, c))


@each_kind
@given(data=st.data())
def test_order_does_not_matter(kind: Kind, data: st.DataObject) -> None:
    """Merging is commutative: late and early arrival give the same."""
    updates = data.draw(_updates(kind))
    shuffled = data.draw(st.permutations(updates))

    assert merge_all(kind, N, updates) == merge_all(kind, N, shuffled)


@each_kind
@given(data=st.data())
def test_the_parts_make_the_whole(kind: Kind, data: st.DataObject) -> None:
    """Events split anyhow over tiles and merged are the events aggregated at once."""
    updates = data.draw(_updates(kind))
    parts = [merge_all(kind, N, part) for part in _split(updates, 4, data)]

    assert merge_all(kind, N, updates) == merge_all(kind, N, parts)


def _split(updates: list[Partial], count: int, data: st.DataObject) -> list[list[Partial]]:
    owners = data.draw(
        st.lists(st.integers(0, count - 1), min_size=len(updates), max_size=len(updates))
    )
    return [
        [update for update, owner in zip(updates, owners, strict=True) if owner == part]
        for part in range(count)
    ]


@each_kind
@given(data=st.data())
def test_idempotent_kinds_may_see_an_event_twice(kind: Kind, data: st.DataObject) -> None:
    """Kinds that are not additive do not mind a repeated merge."""
    if kind not in ADDITIVE:
        updates = data.draw(_updates(kind))
        assert merge_all(kind, N, updates) == merge_all(kind, N, [*updates, *updates])


@each_kind
@given(data=st.data())
def test_merging_leaves_its_inputs_alone(kind: Kind, data: st.DataObject) -> None:
    """What is merged is unchanged afterwards, so that it may be shared."""
    updates = data.draw(_updates(kind))
    copy = deepcopy(updates)

    merge_all(kind, N, updates)

    assert copy == updates


@pytest.mark.parametrize("carrier", get_args(Carrier))
@each_kind
@given(data=st.data())
def test_decoding_undoes_encoding(kind: Kind, carrier: Carrier, data: st.DataObject) -> None:
    """A partial that is written as a row and read again is the same partial."""
    partial = merge_all(kind, N, data.draw(_updates(kind, carrier)))

    row = decode_row(encode_row(_layout(kind, carrier), {7: partial}))

    if kind in COUNTERS:
        assert partial == row.counters.get(7, zero(kind))
    else:
        assert partial == (decode_items(row.features[7], carrier) if 7 in row.features else ())


@given(values=st.lists(st.floats(allow_nan=False), max_size=6))
def test_sortable_integers_have_the_order_of_their_doubles(values: list[float]) -> None:
    """Sorting the integers sorts the doubles, and each comes back; both zeros are one."""
    shuffled = random.Random(1).sample(values, len(values))  # noqa: S311 - any order will do

    assert sorted(values) == [from_sortable(bits) for bits in sorted(map(to_sortable, shuffled))]
    assert to_sortable(0.0) == to_sortable(-0.0) == 0


@given(value=st.integers(-(2**70), 2**70))
def test_wrapping_is_what_64_bits_do(value: int) -> None:
    """A wrapped integer is in range and differs by a multiple of 2^64."""
    assert -(2**63) <= wrap(value) < 2**63
    assert (wrap(value) - value) % 2**64 == 0
