"""Every change is followed by a check: green on right rows, red on a wrong one, with its name.

One feature set goes through all of them in a row, over events of more than two days: most tiles
have expired by the time a change would have kept them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from feature_platform.broker.sender import ensure_topic
from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import CheckReport
from feature_platform.checks.run import CheckRequest, check
from feature_platform.clock import SystemClock
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_recover_plan, make_rollback_plan
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.errors import CorruptRowError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_row
from feature_platform.rows.partials import Row
from feature_platform.settings import Settings
from feature_platform.store.base import RowWrite, StoredRow
from feature_platform.testing import Mix, RawEvent, generate_events
from feature_platform.testing.reference_rows import encode_decoded
from feature_platform.tiles.grid import MINUTE_MS
from tests.integration.judge import deploy, load, produce, short_grace
from tests.integration.recounter import RecounterHere
from tests.integration.waiting import PATIENCE_S

HOUR_MS = 3_600_000
FIRST, EACH, STEPS = 3_000, 120, 10
ENTITIES = 40
SPAN_MS = 60 * HOUR_MS
SEED = 14

SOURCE = """
source: NAME
topic: NAME
format: json
event_time: at
max_future: 1m
columns: {post_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}
"""

BEFORE = """
featureset: NAME
description: Before any change.
owner: tests
entity: post_id
source: NAME
sql: |
  SELECT post_id,
         COUNT(*) AS n,
         SUM(watch_ms) AS w,
         COUNT(*) FILTER (WHERE action = 'view') AS views
  FROM NAME
  GROUP BY post_id
features:
  n: {windows: [1d], lifetime: true}
  w: {windows: [1d]}
  views: {windows: [2h]}
settings: {checkpoint_interval: 2s, keep: 1h}
"""

COLUMN = ("watch_ms: BIGINT,", "watch_ms: BIGINT, score: DOUBLE,")
"""Of the source; many events of before hold a text there, which nobody read."""

Edits = Sequence[tuple[str, str]]

FORWARD: Mapping[str, Edits] = {
    "a longer window": [("w: {windows: [1d]}", "w: {windows: [1d, 7d]}")],
    "kept for longer, a column more, another level of a column": [
        ("keep: 1h", "keep: 3d"),
        ("AS n,", "AS n, MAX(watch_ms) AS longest,"),
        ("  w: {", "  longest: {windows: [2h], lifetime: true}\n  w: {"),
        ("views: {windows: [2h]}", "views: {windows: [2h, 1d]}"),
    ],
    "shorter windows, kept for a shorter time": [
        ("checkpoint_interval: 2s, keep: 3d", "checkpoint_interval: 3s, keep: 10m"),
        ("w: {windows: [1d, 7d]}", "w: {windows: [1d]}"),
    ],
    "a column less, one renamed, longer again": [
        (" MAX(watch_ms) AS longest,", ""),
        ("  longest: {windows: [2h], lifetime: true}\n", ""),
        ("AS w,", "AS watched,"),
        ("  w: {windows: [1d]}", "  watched: {windows: [1d, 2d]}"),
        ("keep: 10m", "keep: 5d"),
    ],
}
REBUILDS: Mapping[str, Edits] = {
    "a window that wants its history": [
        ("keep: 1h", "keep: 1h, on_change: rebuild"),
        ("n: {windows: [1d]", "n: {windows: [1d, 14d]"),
    ],
    "another grid": [("entity: post_id", "entity: post_id\ngrid: [1m, 10m, 1h, 6h, 1d, 7d]")],
}


@dataclass
class Course:
    """A feature set that is changed again and again. Mutable: knows what was sent."""

    settings: Settings
    world: World
    name: str
    events: Sequence[RawEvent]
    sent: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def deployed(self) -> Snapshot:
        """What is deployed now."""
        found = self.world.registry.snapshot(self.name)
        assert found is not None
        return found

    def send(self, count: int) -> None:
        """Send the next events, many of them of long ago, and let them be counted."""
        produce(self.settings, self.name, self.events[self.sent : self.sent + count])
        self.sent += count
        wait(self.world, self.name, timeout_s=PATIENCE_S)

    def edit(self, edits: Edits) -> None:
        """Change the definition."""
        path = self.settings.featuresets / f"{self.name}.yaml"
        text = path.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)

    def apply(self, edits: Edits) -> None:
        """Change and deploy it, and send what comes after."""
        self.edit(edits)
        deploy(self.world, self.settings, self.name)
        self.send(EACH)

    def check(self) -> CheckReport:
        """Compare all rows with all events."""
        return check(self.world, self.name, CheckRequest(share=1.0))

    def assert_green(self, after: str) -> None:
        """Make sure that nothing right is called wrong, and that something was looked at."""
        found = self.check()
        assert {each.check: each.status for each in found.results} == dict.fromkeys(
            ("count", "conservation", "parity", "decode", "freshness"), "green"
        ), (after, found)

    def spoil(self) -> tuple[str, str, StoredRow]:
        """Change a number in a closed tile; return entity, name and tile as they are called."""
        for entity in sorted(self.world.tiles.entities(self.deployed.table)):
            for row in self.world.tiles.read_entity(self.deployed.table, entity):
                young = row.start_ms > self.world.clock.now_ms() - 12 * HOUR_MS
                if row.level == 0 and young and (wrong := _wrong(self.deployed, row)):
                    self.world.tiles.write(
                        self.deployed.table, entity, [wrong], written=row.written + 1
                    )
                    return entity, "n", row
        pytest.fail("no entity has a young closed tile")


def _wrong(deployed: Snapshot, row: StoredRow) -> RowWrite | None:
    """Return a tile with one event too many."""
    column = deployed.layout.column("n").id
    try:
        held = decode_row(row.payload)
    except CorruptRowError:
        return None
    counters = {**held.counters, column: held.counters.get(column, 0) + 1000}
    payload = encode_decoded(Row(counters=counters, features=held.features))
    return RowWrite(level=row.level, start_ms=row.start_ms, payload=payload, ttl_s=7200)


def _with_texts(events: Iterable[RawEvent]) -> Iterator[RawEvent]:
    """Yield events of which many have a text where a number will be expected."""
    for number, event in enumerate(events):
        value = event.value or b""
        odd = number % 7 == 0 and value.startswith(b'{"')
        yield replace(event, value=b'{"score": "n/a", ' + value[1:]) if odd else event


@pytest.fixture
def course(
    project: Callable[[Mapping[str, str]], Settings], submitter: Submitter, spark: SparkSession
) -> Iterator[Course]:
    """A feature set that has counted events of sixty hours."""
    name = f"course_{uuid4().hex[:6]}"
    settings = short_grace(
        project(
            {
                f"featuresets/sources/{name}.yaml": SOURCE.replace("NAME", name),
                f"featuresets/{name}.yaml": BEFORE.replace("NAME", name),
            }
        )
    )
    ensure_topic(settings.kafka, name)
    source, now_ms = load(settings).sources[name], SystemClock().now_ms()
    events = [
        event
        for count, seed in ((FIRST, SEED), (EACH * STEPS, SEED + 1))
        for event in _with_texts(
            generate_events(
                source,
                "post_id",
                Mix(count=count, entities=ENTITIES, end_ms=now_ms, span_ms=SPAN_MS, bad=0.01),
                seed=seed,
            )
        )
    ]
    with open_world(settings, submitter) as real:
        world = replace(real, recounter=RecounterHere(spark, settings.event_log_folder))
        made = Course(settings=settings, world=world, name=name, events=events)
        deploy(world, settings, name)
        made.send(FIRST)
        yield made


def test_a_check_after_every_change(course: Course) -> None:
    """Upgrades in a row, reset, repaired, recovered, undone."""
    course.assert_green("the first deployment")
    for change, edits in FORWARD.items():
        course.apply(edits)
        course.assert_green(change)
    _read_otherwise(course)
    _reset(course)
    _repair(course)
    _roll_back(course)
    _find_a_wrong_row(course)


@pytest.mark.long
def test_a_check_after_every_new_generation(course: Course) -> None:
    """It has the tiles again that the one before had let expire: they are no difference."""
    course.apply(FORWARD["a longer window"])
    for number, (change, edits) in enumerate(REBUILDS.items(), start=2):
        course.apply(edits)
        assert course.deployed.generation == number
        course.assert_green(change)
    _find_a_wrong_row(course)


def _read_otherwise(course: Course) -> None:
    """An event that was counted is none by the source of today: the recount knows it."""
    path = course.settings.featuresets / "sources" / f"{course.name}.yaml"
    path.write_text(path.read_text().replace(*COLUMN))
    course.apply(
        (("AS n,", "AS n, MAX(score) AS best,"), ("  n: {", "  best: {windows: [2h]}\n  n: {"))
    )
    assert len(course.deployed.earlier_sources) == 1
    course.assert_green("a source with another column")


def _reset(course: Course) -> None:
    (plan,) = make_plans(course.world, load(course.settings), [course.name], reset=["views"])
    execute(plan, course.world)
    course.send(EACH)
    course.assert_green("a reset")


def _find_a_wrong_row(course: Course) -> CheckReport:
    entity, name, row = course.spoil()
    found = course.check()
    parity = next(each for each in found.results if each.check == "parity")
    assert parity.status == "red"
    assert found.wrong == (entity,)
    assert any(text.startswith(f"{name} of {entity!r}, 1m tile of ") for text in parity.findings)
    assert row.start_ms % MINUTE_MS == 0
    return found


def _repair(course: Course) -> None:
    """A column that counts since a change does not keep the others from being corrected."""
    assert any(feature.valid_from_ms for feature in course.deployed.features)
    plan = make_repair_plan(course.world, course.name, _find_a_wrong_row(course))
    assert plan is not None
    execute(plan, course.world)
    course.send(EACH)
    course.assert_green("a repair")
    execute(make_recover_plan(course.world, course.name, "store"), course.world)
    course.send(EACH)
    course.assert_green("a recovery")


def _roll_back(course: Course) -> None:
    """A version that kept tiles for a shorter time is undone: what it let expire is not missed."""
    before = course.deployed
    course.edit([("3s, keep: 5d", "2s, keep: 1m"), ("[1d, 2d]", "[2h]")])
    deploy(course.world, course.settings, course.name)
    assert course.deployed.layout.retention_ms < before.layout.retention_ms
    course.send(EACH)
    course.assert_green("a version that is going to be undone")
    execute(make_rollback_plan(course.world, course.name), course.world)
    course.edit(
        [
            ("2s, keep: 1m", "3s, keep: 5d"),
            ("watched: {windows: [2h]", "watched: {windows: [1d, 2d]"),
        ]
    )
    assert course.deployed.column_since == before.column_since
    course.send(EACH)
    course.assert_green("a rollback")
