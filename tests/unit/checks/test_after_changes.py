"""Checks after every kind of change: green on right rows, red on a wrong one, grey on nothing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.ids import FeatureId, column_keys
from feature_platform.plan.planner import Facts, Plan, plan
from feature_platform.plan.recovery import undone
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.target import settled
from feature_platform.rows.partials import Row
from feature_platform.store.base import HEAD_LEVEL, RowWrite, write_timestamp
from feature_platform.testing import Oracle
from feature_platform.testing.reference_rows import encode_decoded
from feature_platform.tiles.retention import Retention
from tests.unit.checks.bench import HOUR_MS, NOW_MS, SOURCE, Bench
from tests.unit.checks.changes import busiest

MINUTE_MS = 60_000
BEFORE = """\
featureset: posts
entity: post
source: events
sql: |
  SELECT post, COUNT(*) AS events, SUM(watch) AS watch,
         COUNT(*) FILTER (WHERE action = 'view') AS views
  FROM events
  GROUP BY post
features:
  events: {windows: [30m, 1d], lifetime: true}
  watch: {windows: [2h]}
  views: {windows: [30m]}
settings: {keep: 1h}
"""

Edits = Sequence[tuple[str, str]]

WIDER: Edits = [("watch: {windows: [2h]}", "watch: {windows: [2h, 7d]}")]
CHANGES: dict[str, Edits] = {
    "a window that needs tiles for longer": WIDER,
    "a window that needs another level of a column": [
        ("views: {windows: [30m]}", "views: {windows: [30m, 1d]}")
    ],
    "a level that no column had": [("watch: {windows: [2h]}", "watch: {windows: [2h, 5d]}")],
    "a lifetime": [("watch: {windows: [2h]}", "watch: {windows: [2h], lifetime: true}")],
    "a shorter window": [("[30m, 1d]", "[30m, 2h]")],
    "kept for longer": [("keep: 1h", "keep: 20d")],
    "kept for a shorter time": [("keep: 1h", "keep: 1m"), ("1d]", "2h]")],
    "kept for a shorter time by another job": [("keep: 1h", "keep: 1m, parallelism: 2")],
    "a column more": [
        ("AS watch,", "AS watch, MAX(watch) AS longest,"),
        ("  views:", "  longest: {windows: [2h], lifetime: true}\n  views:"),
    ],
    "a column less": [
        (" SUM(watch) AS watch,", ""),
        ("  watch: {windows: [2h]}\n", ""),
    ],
    "a column under another name": [("AS watch,", "AS watched,"), ("  watch:", "  watched:")],
    "another filter": [("'view'", "'like'")],
}


def definition(folder: Path, text: str) -> FeatureSet:
    """Load a feature set."""
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(text)
    return load_project(folder).checked().featuresets["posts"]


@pytest.fixture(scope="session", name="featureset")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    return definition(tmp_path_factory.mktemp("before"), BEFORE)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Deployed by a version that records how long tiles are kept; most have expired."""
    kept = Retention.begun(bench.snapshot.layout.retention_ms)
    rows = bench.recounter.featureset.rows_meaning
    bench.deploy(replace(bench.snapshot, retention=kept, rows_meaning=rows))
    return bench


class Author:
    """Changes the definition and deploys it. Mutable: knows all ids that were ever given."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        """Begin with what is deployed."""
        self._bench, self._folder, self.text = bench, folder, BEFORE
        keys = column_keys(bench.recounter.featureset)
        self._ids = {number: key for number, key in enumerate(keys) if number}

    def plan(self, edits: Edits, *, reset: Sequence[str] = ()) -> Plan:
        """Plan a change."""
        for old, new in edits:
            assert old in self.text
            self.text = self.text.replace(old, new)
        self._bench.recounter.featureset = definition(self._folder / "after", self.text)
        known = tuple(FeatureId(id=number, column=key) for number, key in self._ids.items())
        return plan(
            self._bench.recounter.featureset,
            self._bench.snapshot,
            Facts(ids=known),
            reset=reset,
        )

    def apply(self, edits: Edits, *, reset: Sequence[str] = ()) -> Plan:
        """Deploy a change, as `JobControl` records it."""
        made = self.plan(edits, reset=reset)
        assert made.target is not None
        now_ms, before = self._bench.clock.now_ms(), self._bench.snapshot
        after = settled(made.target, now_ms)
        kept_ms = after.layout.retention_ms
        kept = before.kept.changed(kept_ms, now_ms + before.max_future_ms)
        keys = column_keys(self._bench.recounter.featureset)
        by_name = {column.name: column.id for column in after.layout.columns}
        self._ids |= {by_name[key.name]: key for key in keys if by_name[key.name]}
        self.deploy(replace(after, retention=kept, previous=before))
        return made

    def deploy(self, snapshot: Snapshot) -> None:
        """Record what is deployed; the recount is by its layout."""
        self._bench.deploy(snapshot)
        self._bench.recounter.snapshot = snapshot


@pytest.fixture
def author(bench: Bench, tmp_path: Path) -> Author:
    """Of the feature set that is checked."""
    return Author(bench, tmp_path)


def statuses(bench: Bench) -> set[str]:
    """Check, and return what the checks of rows say."""
    found = bench.check()
    assert {name for name, result in found.items() if result.status == "red"} == set(), found
    return {result.status for name, result in found.items() if name != "freshness"}


def spoil(bench: Bench, column: str) -> tuple[str, str]:
    """Change a column in the newest tile of an entity; return the entity and the tile's level."""
    entity = busiest(bench)
    rows = bench.tiles.read_entity(bench.snapshot.table, entity)
    row = max((row for row in rows if row.level >= 0), key=lambda row: (row.start_ms, -row.level))
    columns = {each.name: each.id for each in bench.snapshot.layout.columns}
    held = Row(counters={0: 3, columns[column]: 77}, features={})
    wrong = RowWrite(
        level=row.level, start_ms=row.start_ms, payload=encode_decoded(held), ttl_s=HOUR_MS
    )
    bench.tiles.write(bench.snapshot.table, entity, [wrong], written=write_timestamp(1, 2))
    return entity, bench.snapshot.layout.grid.level_name(row.level)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_no_right_row_wrong(bench: Bench, author: Author, change: str) -> None:
    """What the version before let expire, or did not count, is not missed; the rest is judged."""
    assert statuses(bench) == {"green"}
    author.apply(CHANGES[change])
    assert statuses(bench) == {"green"}
    bench.clock.advance(10 * MINUTE_MS)
    assert statuses(bench) == {"green"}
    entity, level = spoil(bench, "events")
    found = bench.check()["parity"]
    assert found.status == "red"
    assert any(f"events of {entity!r}, {level} tile" in text for text in found.findings)


def test_a_reset_column_is_judged_from_its_reset_on(bench: Bench, author: Author) -> None:
    """The others go on."""
    author.apply((), reset=["views"])
    assert statuses(bench) == {"green"}
    assert "views only from" in bench.check()["parity"].summary


def taken_back(bench: Bench) -> Snapshot:
    """Return what a rollback would lead to."""
    assert bench.snapshot.previous is not None
    return undone(bench.snapshot, bench.snapshot.previous)


def test_changes_in_a_row_and_a_rollback(bench: Bench, author: Author) -> None:
    """Tiles carry the shortest time of all versions that may have written them."""
    author.apply(WIDER)
    bench.clock.advance(MINUTE_MS)
    author.apply([("keep: 1h", "keep: 9d")])
    bench.clock.advance(MINUTE_MS)
    author.apply([("[2h, 7d]", "[2h]"), ("keep: 9d", "keep: 1m")])
    bench.clock.advance(MINUTE_MS)
    author.apply([("keep: 1m", "keep: 20d")])
    assert statuses(bench) == {"green"}
    back = taken_back(bench)
    kept = back.kept.changed(back.layout.retention_ms, bench.clock.now_ms())
    author.text = author.text.replace("keep: 20d", "keep: 1m")
    author.plan(())
    author.deploy(replace(back, retention=kept))
    assert statuses(bench) == {"green"}
    spoil(bench, "events")
    assert "parity" in bench.red()


def test_what_is_undone_leaves_no_column_young(bench: Bench, author: Author) -> None:
    """A column that was removed and came back by a rollback has counted all the time."""
    before = bench.snapshot
    author.apply(CHANGES["a column less"])
    assert taken_back(bench).column_since == before.column_since == {}


def test_the_number_of_events_is_judged_though_a_feature_is_young(
    bench: Bench, author: Author
) -> None:
    """It did not change; with another WHERE it did."""
    author.apply(CHANGES["a column more"])
    count = bench.check()["count"]
    assert count.status == "green"
    assert int(count.summary.split()[0]) > 1
    assert "_events" not in count.summary
    author.apply([("  FROM events\n", "  FROM events\n  WHERE action <> 'like'\n")])
    count = bench.check()["count"]
    assert count.status == "skipped"
    assert "; _events, events, " in count.summary


def test_a_check_of_nothing_is_grey(bench: Bench, author: Author) -> None:
    """With the reason, whatever was looked at."""
    author.apply([("  FROM events\n", "  FROM events\n  WHERE action <> 'like'\n")])
    found = bench.check()
    grey = {name for name, result in found.items() if result.status == "skipped"}
    assert grey == {"count", "conservation", "parity"}
    for name in grey:
        assert found[name].summary.startswith("nothing was compared because no tile is still kept")
    for entity in bench.oracle.entities:
        rows = bench.tiles.read_entity(bench.snapshot.table, entity)
        gone = [RowWrite(level=row.level, start_ms=row.start_ms, payload=None) for row in rows]
        bench.tiles.write(bench.snapshot.table, entity, gone, written=write_timestamp(1, 3))
    assert bench.check()["decode"].status == "skipped"
    bench.recounter.events = []
    found = bench.check()
    assert {name for name, result in found.items() if result.status == "skipped"} == {
        *grey,
        "decode",
    }
    assert "because these entities have no rows" in found["count"].summary


def test_what_nobody_recorded_is_no_alarm(bench: Bench, author: Author) -> None:
    """A version before may have kept tiles for a shorter time: only what is younger is judged."""
    old = bench.snapshot.to_json()
    for name in ("retention", "column_since", "rows_meaning"):
        del old[name]
    author.deploy(replace(Snapshot.from_json(old), deployed_ms=NOW_MS - HOUR_MS))
    summary = bench.check()["parity"].summary
    assert statuses(bench) == {"green"}
    assert "without tiles from before 2026-03-01T11:05Z" in summary
    author.apply(WIDER)
    assert statuses(bench) == {"green"}


def test_a_window_over_tiles_that_are_kept_long_enough_only_of_late(
    bench: Bench, author: Author
) -> None:
    """The registry alone changes, and the window says since when it counts."""
    author.apply([("keep: 1h", "keep: 20d")])
    bench.clock.advance(HOUR_MS)
    made = author.apply([("[30m, 1d]", "[30m, 1d, 7d]")])
    assert made.change.kind == "forward"  # 5d tiles are new
    bench.clock.advance(HOUR_MS)
    made = author.apply([("[30m, 1d, 7d]", "[30m, 1d, 2d, 7d]")])
    assert made.change.kind == "metadata"
    feature = next(each for each in bench.snapshot.features if each.name == "events")
    assert feature.from_ms("events_1d") == 0
    assert feature.from_ms("events_2d") == NOW_MS + 5 * MINUTE_MS
    (verdict,) = [each for each in made.verdicts if each.name == "events_2d"]
    assert (verdict.verdict, verdict.since_ms) == ("keeps history", NOW_MS + 5 * MINUTE_MS)


def test_the_expected_rows_are_those_of_the_old_layout(bench: Bench) -> None:
    """The bench does as a job does: what has expired is not there."""
    oracle = Oracle(bench.recounter.featureset, bench.snapshot.layout, bench.recounter.events)
    entity = busiest(bench)
    expected = oracle.entity(entity)
    assert expected is not None
    stored = bench.tiles.read_entity(bench.snapshot.table, entity)
    assert 1 < len([row for row in stored if row.level > HEAD_LEVEL]) < len(expected.closed) / 2
