"""The fault suite's own recount agrees with the naive oracle, however its events come in parts."""

from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import Mix, Oracle, generate_events
from feature_platform.testing.deployed import snapshot_of
from tests.chaos.definitions import ENTITY, NAME, VARIANTS, write_definitions
from tests.chaos.recount import GrowingOracle

END_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def featureset(tmp_path: Path) -> FeatureSet:
    """The feature set under load."""
    return _load(tmp_path, 0)


def _load(folder: Path, variant: int) -> FeatureSet:
    write_definitions(folder, variant)
    return load_project(folder).checked().featuresets[NAME]


@pytest.mark.parametrize("part", [1, 7, 900])
def test_parts_add_up(featureset: FeatureSet, part: int) -> None:
    """Events added in parts give the rows that the naive oracle gives of all at once."""
    mix = Mix(count=900, entities=9, end_ms=END_MS, span_ms=2 * HOUR_MS)
    events = list(generate_events(featureset.source, ENTITY, mix, seed=part))
    layout = snapshot_of(featureset).layout
    growing = GrowingOracle(featureset, layout)
    for first in range(0, len(events), part):
        growing.add(events[first : first + part])
    naive = Oracle(featureset, layout, events)

    expected = {}
    for entity in naive.entities:
        found = naive.entity(entity)
        assert found is not None
        expected[entity] = found.rows
    assert growing.dead_letters == {
        (letter.partition, letter.offset): letter.reason for letter in naive.dead_letters
    }
    assert expected == {entity: growing.rows(entity, END_MS) for entity in growing.entities}


def test_rows_about_to_expire_are_not_judged(featureset: FeatureSet) -> None:
    """A closed row is judged until its time is nearly over; the head and lifetime always are."""
    layout = snapshot_of(featureset).layout
    growing = GrowingOracle(featureset, layout)
    over_ms = END_MS + layout.grid.levels_ms[0] + layout.retention_ms[0]

    assert growing.judged((0, END_MS), over_ms - 200_000)
    assert not growing.judged((0, END_MS), over_ms - 60_000)
    assert growing.judged((HEAD_LEVEL, 0), over_ms)
    assert growing.judged((layout.grid.lifetime_level, 0), over_ms)


def test_variants_differ_and_mean_the_same(tmp_path: Path) -> None:
    """Applying a variant is an upgrade, and the oracle's rows stay what they were."""
    variants = [_load(tmp_path / str(number), number) for number in range(VARIANTS)]
    events = list(
        generate_events(
            variants[0].source,
            ENTITY,
            Mix(count=300, entities=5, end_ms=END_MS, span_ms=HOUR_MS, extreme=0),
            seed=1,
        )
    )
    heads = set()
    for variant in variants:
        oracle = Oracle(variant, snapshot_of(variant).layout, events)
        found = [oracle.entity(entity) for entity in oracle.entities]
        heads.add(tuple(entity.head for entity in found if entity is not None))

    assert len({variant.data_fingerprint for variant in variants}) > 1
    assert len({variant.settings.parallelism for variant in variants}) == 3
    assert len(heads) == 1
