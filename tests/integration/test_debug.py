"""Planted faults on the real servers: `fp debug` names the first place where each goes wrong."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.engines.ports import Submitter
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.undo import RowKey
from feature_platform.store.base import HEAD_LEVEL, RowWrite, StoredRow, write_timestamp
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.reference_events import Accepted, DeadLetter
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.commands import Ran, fp
from tests.integration.judge import load, produce

pytestmark = pytest.mark.integration

TYPO = (
    "LAST_N(action, 3)     AS recent",
    "LAST_N(action, 3)     AS recent, COUNT(*) FILTER (WHERE action = 'veiw') AS views",
)
ASKED = ("recent:   latest", "recent:   latest\n  views: {{windows: [2h]}}")


@pytest.fixture(name="case")
def _case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    name = drawn_name("debugged")
    settings = project(files_of(name))
    with open_case(settings, submitter, name) as made:
        made.deploy(TYPO, ASKED)
        made.send(1 / 3)
        made.wait()
        assert fp(settings.project, "archive", name).code == 0
        made.send(1 / 3)
        made.wait()
        yield made


def looked(case: Case, entity: str, *more: str) -> tuple[Ran, dict[str, Any]]:
    """Run `fp debug`; return what it printed, and what is to be read first."""
    ran = fp(case.settings.project, "debug", case.name, entity, "--json", *more)
    return ran, ran.facts


def link(facts: dict[str, Any], place: str) -> dict[str, Any]:
    """Return what was found at a place."""
    (found,) = (each for each in facts["links"] if each["place"] == place)
    return dict(found)


def whole(case: Case) -> list[str]:
    """Return the entities of which every event can be read, the busiest first."""
    oracle = Planted(case, "").oracle
    refused = b" ".join(
        event.value or b""
        for event in case.events[: case.sent]
        if isinstance(oracle.read(event), DeadLetter)
    ).decode("utf-8", "replace")
    busiest = sorted(oracle.entities, key=lambda each: -len(oracle.rows[each]))
    return [each for each in busiest if each not in refused]


class Planted:
    """The rows of one entity, changed and put back."""

    def __init__(self, case: Case, entity: str) -> None:
        """Look at an entity."""
        snapshot = case.world.registry.snapshot(case.name)
        assert snapshot is not None
        self.snapshot: Snapshot = snapshot
        self.case, self.entity = case, entity
        self.attempt = case.world.registry.attempts(case.name, 1)[-1].attempt
        self.oracle = Oracle(
            load(case.settings).featuresets[case.name],
            snapshot.layout,
            [*case.events[: case.sent]],
        )

    def rows(self) -> list[StoredRow]:
        """Return what is stored."""
        return [
            row
            for row in self.case.world.tiles.read_entity(self.snapshot.table, self.entity)
            if row.level >= HEAD_LEVEL
        ]

    def write(self, payloads: dict[RowKey, bytes], *, attempt: int = 0) -> None:
        """Write rows as a job would that counts otherwise."""
        for row in self.rows():
            key = RowKey(row.level, row.start_ms)
            if key in payloads:
                written = write_timestamp(attempt, 1) if attempt else row.written + 1
                ttl_s = 0 if row.level == HEAD_LEVEL else 3_600
                change = RowWrite(
                    level=row.level, start_ms=row.start_ms, payload=payloads[key], ttl_s=ttl_s
                )
                self.case.world.tiles.write(
                    self.snapshot.table, self.entity, [change], written=written
                )

    def counted(self, rows: Sequence[Accepted]) -> None:
        """Write what the rows of some events would be."""
        oracle = Oracle(self.oracle.featureset, self.snapshot.layout)
        for row in rows:
            oracle.add_row(row)
        made = oracle.entity(self.entity)
        assert made is not None
        self.write({RowKey(*key): payload for key, payload in made.rows.items()})


@contextmanager
def planting(case: Case, entity: str) -> Iterator[Planted]:
    """An entity whose rows are put back at the end."""
    made = Planted(case, entity)
    before = made.rows()
    yield made
    made.write({RowKey(row.level, row.start_ms): row.payload for row in before})


def test_each_fault_is_named_where_it_is(case: Case) -> None:
    """One after the other, each on an entity of its own."""
    entities = iter(whole(case))
    failed: list[AssertionError] = []
    for part in (
        _another_filter_is_named,
        _a_right_entity_is_fine_but_for_the_typo,
        _without_the_typo_nothing_is_wrong,
        _a_lost_event_is_named,
        _a_doubled_event_is_named,
        _a_strange_writer_is_named,
        _an_event_in_another_unit_is_named,
    ):
        try:
            with planting(case, next(entities)) as planted:
                part(case, planted)
        except AssertionError as error:
            failed.append(error)
    _a_preview_needs_no_server(case)
    _an_entity_that_never_was(case)
    _what_cannot_be_asked_about_is_said(case)
    if failed:
        msg = "some faults were not found"
        raise ExceptionGroup(msg, failed)


def _a_right_entity_is_fine_but_for_the_typo(case: Case, planted: Planted) -> None:
    """The FILTER that nothing matches is named, with the constant and what was meant."""
    ran, facts = looked(case, planted.entity)
    assert ran.code == 3
    assert facts["first"] == "query"
    said = link(facts, "query")["summary"]
    assert "'veiw'" in said
    assert "did you mean 'view'?" in said
    assert link(facts, "rows")["state"] == "fine"
    assert link(facts, "served")["state"] == "fine"
    assert {each["origin"] for each in facts["events"]} == {"event log", "Kafka"}


def _without_the_typo_nothing_is_wrong(case: Case, planted: Planted) -> None:
    """Another feature of the same entity; its page is a file."""
    page = case.settings.project / "page.html"
    ran, facts = looked(case, planted.entity, "--feature", "events_2h", "--html", str(page))
    assert ran.code == 0, facts["verdict"]
    assert facts["first"] is None
    assert "<svg" in page.read_text()


def _a_lost_event_is_named(case: Case, planted: Planted) -> None:
    """Rows as if one event had not been counted."""
    rows = sorted(planted.oracle.rows[planted.entity], key=lambda row: row.order)
    lost = rows[len(rows) // 2]
    planted.counted([row for row in rows if row is not lost])
    ran, facts = looked(case, planted.entity, "--feature", "events", "--state")
    assert ran.code == 3
    assert facts["first"] == "rows"
    assert link(facts, "state")["state"] == "fine", link(facts, "state")
    assert "agree with the events" in link(facts, "state")["summary"]
    assert f"{lost.partition}/{lost.offset}" in link(facts, "rows")["summary"]
    assert "had not been counted" in link(facts, "rows")["summary"]


def _a_doubled_event_is_named(case: Case, planted: Planted) -> None:
    """Rows as if one event had been counted twice."""
    rows = sorted(planted.oracle.rows[planted.entity], key=lambda row: row.order)
    doubled = rows[len(rows) // 2]
    planted.counted([*rows, replace(doubled, order=(doubled.time_ms, 99, 1))])
    _, facts = looked(case, planted.entity, "--feature", "watch_ms")
    assert facts["first"] == "rows"
    assert f"{doubled.partition}/{doubled.offset}" in link(facts, "rows")["summary"]
    assert "had been counted twice" in link(facts, "rows")["summary"]


def _another_filter_is_named(case: Case, planted: Planted) -> None:
    """Rows as of a job that leaves out one kind of event."""
    rows = planted.oracle.rows[planted.entity]
    ((most, _),) = Counter(row.columns["action"] for row in rows).most_common(1)
    planted.counted([row for row in rows if row.columns["action"] != most])
    _, facts = looked(case, planted.entity, "--feature", "events_30m")
    assert facts["first"] == "rows"
    assert f"action = '{most}'" in link(facts, "rows")["summary"]
    assert "another FILTER" in link(facts, "rows")["summary"]


def _a_strange_writer_is_named(case: Case, planted: Planted) -> None:
    """Rows of an attempt that nobody was given."""
    head = next(row for row in planted.rows() if row.level == HEAD_LEVEL)
    planted.write({RowKey(HEAD_LEVEL, 0): head.payload}, attempt=planted.attempt + 7)
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "job"
    assert f"attempt {planted.attempt + 7}" in link(facts, "job")["summary"]


def _an_event_in_another_unit_is_named(case: Case, planted: Planted) -> None:
    """A dead letter says in which unit its time would be right."""
    now_s = case.world.clock.now_ms() // 1_000
    value = {"user_id": int(planted.entity), "action": "view", "watch_ms": 500, "at": now_s}
    event = RawEvent(
        value=json.dumps(value).encode(), timestamp_ms=now_s * 1_000, partition=0, offset=0
    )
    produce(case.settings, case.name, [event])
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "reading"
    said = link(facts, "reading")
    assert "in seconds that is" in said["details"][-1]


def _a_preview_needs_no_server(case: Case) -> None:
    """It reads the archived log."""
    ran = fp(case.settings.project, "preview", case.name, "--json", "--sample", "500")
    assert ran.facts["read"] == 500
    assert ran.facts["counted"] > 0
    views = next(each for each in ran.facts["features"] if each["feature"] == "views")
    assert "'veiw'" in views["why_none"]


def _an_entity_that_never_was(case: Case) -> None:
    """It says how much was looked at, and what may be the cause."""
    ran, facts = looked(case, "987654321", "--feature", "events")
    assert ran.code == 3
    assert facts["first"] == "events"
    assert "no event has user_id = '987654321'" in link(facts, "events")["summary"]


def _what_cannot_be_asked_about_is_said(case: Case) -> None:
    """A wrong key, feature, feature set or time."""
    project = case.settings.project
    for arguments, word in (
        ((case.name, "x"), "BIGINT"),
        ((case.name, "1", "--feature", "event"), "events"),
        (("nobody", "1"), "is not deployed"),
    ):
        ran = fp(project, "debug", *arguments)
        assert ran.code == 1
        assert word in ran.messages
    assert fp(project, "debug", case.name, "1", "--at", "yesterday").code == 2
