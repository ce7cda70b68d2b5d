"""Which kept entries answer a request: all at once the same as one by one, by the rule in words."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet
from feature_platform.serving.forms import NEVER_MS, RowsForm
from feature_platform.serving.kept import (
    ABSENT,
    FOREVER_MS,
    Entry,
    Need,
    Space,
    is_known,
    numbers_of,
)
from feature_platform.serving.read_plan import Group, ReadPlan
from feature_platform.store.base import HEAD_LEVEL, TileKey
from feature_platform.testing.deployed import snapshot_of

NOW_MS = 10_000_000
LEVELS_MS = (60_000, 300_000)
INSTANTS = st.integers(NOW_MS - 50, NOW_MS + 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is kept, and what is asked."""

    entries: list[Entry]
    keys: list[TileKey]
    read_since_ms: int
    loaded_since_ms: int


TILES = st.tuples(st.integers(0, 1), st.integers(0, 40)).map(
    lambda tile: (tile[0], tile[1] * LEVELS_MS[tile[0]])
)


@st.composite
def _entries(draw: st.DrawFn, known: list[frozenset[TileKey]]) -> Entry:
    places = st.integers(0, 40).map(lambda place: place * LEVELS_MS[0])
    return Entry(
        head=draw(st.binary(max_size=2)),
        closed=draw(st.binary(max_size=2)),
        newest_ms=0,
        since_ms=draw(st.sampled_from([NEVER_MS, FOREVER_MS]) | places),
        known=draw(st.sampled_from(known)),
        written=1,
        closed_events=(),
        read_ms=draw(INSTANTS),
        loaded_ms=draw(INSTANTS),
    )


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    known = draw(st.lists(st.frozensets(TILES, max_size=4), min_size=1, max_size=3))
    return Case(
        entries=draw(st.lists(st.just(ABSENT) | _entries(known), max_size=8)),
        keys=draw(st.lists(TILES, max_size=4, unique=True)),
        read_since_ms=draw(INSTANTS),
        loaded_since_ms=draw(INSTANTS),
    )


def _need(featureset: FeatureSet, case: Case) -> Need:
    snapshot = snapshot_of(featureset)
    plan = ReadPlan(
        group=Group(snapshot=snapshot, wanted=(), positions=()),
        mode="now",
        covers={},
        keys=((HEAD_LEVEL, 0), *case.keys),
    )
    return Need(
        space=Space(number=1, snapshot=snapshot, form=RowsForm(snapshot.layout)),
        plan=plan,
        now_ms=NOW_MS,
        read_since_ms=case.read_since_ms,
        loaded_since_ms=case.loaded_since_ms,
    )


def _is_met(need: Need, entry: Entry) -> bool:
    return (
        need.read_since_ms < entry.read_ms <= need.now_ms
        and entry.loaded_ms >= need.loaded_since_ms
        and all(is_known(need.space.grid, entry, key) for key in need.plan.keys[1:])
    )


@given(case=_cases())
def test_entries_are_judged_together_as_one_by_one(featureset: FeatureSet, case: Case) -> None:
    """Stale, of the future, loaded too long ago, or without a tile that is needed."""
    need = _need(featureset, case)
    expected = [place for place, each in enumerate(case.entries) if not _is_met(need, each)]
    assert need.not_met(case.entries, numbers_of(case.entries)) == expected


def test_a_changed_entry_has_its_own_numbers(featureset: FeatureSet) -> None:
    """They follow from the entry, however it is made."""
    entry = replace(ABSENT, read_ms=NOW_MS, loaded_ms=NOW_MS, since_ms=NEVER_MS)
    case = Case(entries=[entry], keys=[], read_since_ms=0, loaded_since_ms=0)
    need = _need(featureset, case)
    entries = [entry, replace(entry, read_ms=NOW_MS + 1)]
    assert need.not_met(entries, numbers_of(entries)) == [1]
