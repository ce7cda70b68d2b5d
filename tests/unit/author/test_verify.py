"""A verification without engines: what is drawn, and what a difference is called."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from feature_platform.author.verify import Verified, new_snapshot, verify
from feature_platform.author.verify_events import Draw, draw_events, literals, without_history
from feature_platform.author.verify_log import write_log
from feature_platform.author.verify_rows import Made, Rows
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.event_log.archiver import read_log
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import Oracle, RawEvent
from tests.integration.everything import EVERYTHING, SOURCE

NAME = "everything"
UNTIL_MS = 1_772_366_400_000
DRAW = Draw(count=600, seed=3, until_ms=UNTIL_MS)
Change = tuple[str, str]


def defined(folder: Path, *changes: Change) -> FeatureSet:
    """Load the feature set, with some texts replaced."""
    text = EVERYTHING
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / f"{NAME}.yaml").write_text(SOURCE.format(name=NAME))
    (folder / f"{NAME}.yaml").write_text(text.format(name=NAME))
    return load_project(folder).checked().featuresets[NAME]


@pytest.fixture(scope="module", name="featureset")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    return defined(tmp_path_factory.mktemp("featuresets") / "a")


class Pretended:
    """An engine that agrees with the reference, by a definition of its own; rows may be edited."""

    name = "pretended"

    def __init__(
        self, by: FeatureSet, edits: Mapping[str, Mapping[tuple[int, int], bytes]]
    ) -> None:
        """Compute by a definition."""
        self.by, self.edits = by, edits

    def rows(
        self, featureset: FeatureSet, snapshot: Snapshot, events: Sequence[RawEvent], report: Report
    ) -> Made:
        """Return the reference's rows, edited."""
        assert featureset.name == snapshot.featureset
        report("pretend")
        oracle = Oracle(self.by, new_snapshot(self.by).layout, events)
        made = {key: entity.rows for key in oracle.entities if (entity := oracle.entity(key))}
        rows = {key: {**own, **self.edits.get(key, {})} for key, own in made.items()}
        return Made(rows=rows)


def run(featureset: FeatureSet, by: FeatureSet, edits: Rows | None = None) -> Verified:
    """Verify with the pretended engine."""
    return verify(featureset, DRAW, [Pretended(by, edits or {})])


def test_events_meet_the_conditions_of_the_definition(featureset: FeatureSet) -> None:
    """Constants and their neighbours, through what an inner select makes of columns."""
    found = literals(featureset)

    assert {"skip", "view"} <= {*found["action"]}
    assert {99, 100, 101, 1000, 1001} <= {*found["watch_ms"]}
    assert {"post_id", "at"}.isdisjoint(found)


def test_events_are_of_every_kind(featureset: FeatureSet) -> None:
    """Dead letters of every reason, late ones, repeated ones; the same seed draws the same."""
    draw = replace(DRAW, count=5_000)
    events = draw_events(featureset, draw)
    oracle = Oracle(featureset, new_snapshot(featureset).layout, events)
    rows = [row for rows in oracle.rows.values() for row in rows]
    arrived = {(each.partition, each.offset): each.timestamp_ms for each in events}

    assert len({letter.reason for letter in oracle.dead_letters}) > 10
    late = [row for row in rows if arrived[row.order[1:]] - row.time_ms > 600_000]
    assert len(late) > 100
    repeated = Counter(each.value for each in events if each.value)
    assert sum(number - 1 for number in repeated.values()) > 50
    assert events == draw_events(featureset, draw)
    assert events != draw_events(featureset, replace(draw, seed=4))


def test_what_agrees_is_counted(featureset: FeatureSet) -> None:
    """Rows, entities and served values; no event is lost from the sums."""
    found = run(featureset, featureset)

    (compared,) = found.compared
    assert (found.agrees, compared.different, compared.first) == (True, 0, None)
    assert compared.entities == found.entities > 5
    assert compared.rows > compared.entities
    names = sum(len(each.served_names) for each in featureset.features)
    assert compared.values == found.entities * names * 2
    assert found.counted + found.left_out + sum(found.refused.values()) == found.events == 600
    assert found.untouched == ()
    assert json.loads(json.dumps(found.to_json()))["engines"][0]["agrees"] is True


def test_another_filter_is_found_and_named(featureset: FeatureSet, tmp_path: Path) -> None:
    """The entity, its tile, the column and what both have."""
    edited = defined(tmp_path / "b", ("action = 'view'", "action = 'like'"))

    found = run(featureset, edited)

    (compared,) = found.compared
    assert not found.agrees
    assert compared.first is not None
    assert compared.first.what == "views"
    assert "tile of" in compared.first.tile
    assert compared.first.reference != compared.first.engine
    assert compared.different > 10


def test_rows_that_are_missing_or_torn_are_found(featureset: FeatureSet) -> None:
    """A head that cannot be read, and an entity of which the engine has nothing."""
    torn = run(featureset, featureset, {"post-1": {(HEAD_LEVEL, 0): b"\xff"}})
    assert not torn.agrees
    assert torn.compared[0].first is not None
    assert torn.compared[0].first.entity == "post-1"
    assert torn.compared[0].first.reference == "readable"

    class Nothing(Pretended):
        def rows(self, *_: object) -> Made:
            return Made(rows={})

    nothing = verify(featureset, DRAW, [Nothing(featureset, {})])
    assert not nothing.agrees
    assert nothing.compared[0].first is not None
    assert nothing.compared[0].first.engine == "no tile"


def test_a_feature_that_no_event_reaches_is_told(tmp_path: Path) -> None:
    """It would agree whatever an engine does."""
    never = defined(tmp_path / "c", ("action = 'view'", "action = 'view' AND action = 'no'"))

    assert run(never, never).untouched == ("views",)


def test_events_are_written_as_an_event_log(featureset: FeatureSet, tmp_path: Path) -> None:
    """Its commits name the file and all offsets; the records are the events."""
    events = draw_events(without_history(featureset), DRAW)
    source = new_snapshot(featureset).job.source
    write_log(tmp_path, source, events, UNTIL_MS)

    log = read_log(ArrowFolder(f"{tmp_path}/{NAME}/{NAME}"))

    assert sum(log.positions.values()) == log.records == len(events)
    ((path, file),) = log.files.items()
    rows = parquet.read_table(tmp_path / NAME / NAME / path).to_pylist()
    assert file.bytes == (tmp_path / NAME / NAME / path).stat().st_size
    assert [row["value"] for row in rows] == [each.value for each in events]
