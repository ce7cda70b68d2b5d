"""Planted faults on the real servers: `fp debug` names the first place where each goes wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from feature_platform.clock import to_iso
from feature_platform.engines.ports import Submitter
from feature_platform.rows.codec import decode_row, split_head
from feature_platform.rows.encode import encode_head_of, encode_tile
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import RowKey
from feature_platform.store.base import HEAD_LEVEL
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.commands import fp
from tests.integration.debug_case import (
    Planted,
    alone_in_its_minute,
    link,
    lives,
    looked,
    newest_of,
    planting,
    send_now,
    serving,
    submitted_beside,
    whole,
)
from tests.integration.waiting import until

pytestmark = pytest.mark.integration

TYPO = (
    "LAST_N(action, 3)     AS recent",
    "LAST_N(action, 3)     AS recent, COUNT(*) FILTER (WHERE action = 'veiw') AS views",
)
CHANGED_LEVEL = 1
"""Of the tile that is changed: 5 minutes."""
LONG_AGO = "2001-01-01T00:00:00Z"
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
        _a_tile_that_was_changed_is_named,
        _a_strange_writer_is_named,
        _values_under_the_id_of_another_column_are_named,
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
    _a_time_before_anything_was_kept_is_said(case, next(entities))
    _an_answer_from_an_old_cache_is_named(case, next(entities))
    _a_second_job_that_may_not_write_is_told(case, next(entities))
    _a_second_job_that_writes_is_named(case, next(entities))
    _an_event_after_the_time_of_its_tiles_is_told(case, next(entities))
    _a_filter_that_was_edited_is_told(case, whole(case)[0])
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
    assert said.startswith(
        "views: FILTER (WHERE action = 'veiw') matches none of the topic's newest"
    )
    assert "did you mean 'view'?" in said
    assert "correct the constant in the FILTER" in link(facts, "query")["next_step"]
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
    lost = alone_in_its_minute(planted)
    planted.counted([row for row in planted.oracle.rows[planted.entity] if row is not lost])
    ran, facts = looked(case, planted.entity, "--feature", "events", "--state")
    assert ran.code == 3
    assert facts["first"] == "rows"
    assert link(facts, "state")["state"] == "fine", link(facts, "state")
    assert "agree with the events" in link(facts, "state")["summary"]
    said = link(facts, "rows")["summary"]
    assert said.startswith(f"events: 1m tile of {to_iso(lost.time_ms // 60_000 * 60_000)}: stored")
    assert f"as if event {lost.partition}/{lost.offset} of " in said
    assert said.endswith("had not been counted")
    assert f"fp check {case.name} --repair corrects them" in link(facts, "rows")["next_step"]


def _a_doubled_event_is_named(case: Case, planted: Planted) -> None:
    """Rows as if one event had been counted twice."""
    rows, doubled = planted.oracle.rows[planted.entity], alone_in_its_minute(planted)
    planted.counted([*rows, replace(doubled, order=(doubled.time_ms, 99, 1))])
    _, facts = looked(case, planted.entity, "--feature", "watch_ms")
    assert facts["first"] == "rows"
    said = link(facts, "rows")["summary"]
    assert said.startswith("watch_ms: 1m tile of ")
    assert f"as if event {doubled.partition}/{doubled.offset} of " in said
    assert said.endswith("had been counted twice")


def _another_filter_is_named(case: Case, planted: Planted) -> None:
    """Rows as of a job that leaves out one kind of event."""
    rows = planted.oracle.rows[planted.entity]
    ((most, _),) = Counter(row.columns["action"] for row in rows).most_common(1)
    planted.counted([row for row in rows if row.columns["action"] != most])
    _, facts = looked(case, planted.entity, "--feature", "events_30m")
    assert facts["first"] == "rows"
    assert f"action = '{most}'" in link(facts, "rows")["summary"]
    assert "another FILTER" in link(facts, "rows")["summary"]


def _a_tile_that_was_changed_is_named(case: Case, planted: Planted) -> None:
    """One column of one closed row, in which no single event and no FILTER is to blame."""
    ids = {column.name: column.id for column in planted.snapshot.layout.columns}
    changed = next(row for row in planted.rows() if row.level == CHANGED_LEVEL)
    row = decode_row(changed.payload)
    counters = {**row.counters, ids["events"]: row.counters[ids["events"]] + 1_000}
    payload = encode_tile(Row(counters=counters, features=row.features))
    planted.write({RowKey(changed.level, changed.start_ms): payload})
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "rows"
    found = link(facts, "rows")
    assert found["summary"].startswith(f"events: 5m tile of {to_iso(changed.start_ms)}: stored 1")
    assert "only 5m tiles differ and none of another length" in found["summary"]
    assert "the row changed by something else" in found["summary"]
    assert f"fp check {case.name} --repair corrects them" in found["next_step"]
    (tile,) = (each for each in facts["tiles"] if each["differs"])
    assert (tile["level"], tile["start"]) == ("5m", to_iso(changed.start_ms))
    assert tile["stored"]["events"] - 1_000 == tile["expected"]["events"]


def _a_strange_writer_is_named(case: Case, planted: Planted) -> None:
    """Rows of an attempt that nobody was given."""
    head = next(row for row in planted.rows() if row.level == HEAD_LEVEL)
    planted.write({RowKey(HEAD_LEVEL, 0): head.payload}, attempt=planted.attempt + 7)
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "job"
    assert f"attempt {planted.attempt + 7}" in link(facts, "job")["summary"]


def _values_under_the_id_of_another_column_are_named(case: Case, planted: Planted) -> None:
    """Rows in which two columns have each other's ids."""
    ids = {column.name: column.id for column in planted.snapshot.layout.columns}
    swapped = {ids["events"]: ids["watch_ms"], ids["watch_ms"]: ids["events"]}

    def mixed(payload: bytes) -> bytes:
        row = decode_row(payload)
        counters = {swapped.get(each, each): value for each, value in row.counters.items()}
        return encode_tile(Row(counters=counters, features=row.features))

    planted.write(
        {
            RowKey(row.level, row.start_ms): (
                encode_head_of(
                    {
                        (level, start_ms): mixed(payload)
                        for level, start_ms, payload in split_head(row.payload)
                    }
                )
                if row.level == HEAD_LEVEL
                else mixed(row.payload)
            )
            for row in planted.rows()
        }
    )
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "rows"
    said = link(facts, "rows")["summary"]
    assert f"what watch_ms counts, under id {ids['events']}, which the registry gives to" in said
    assert "the ids of the two are mixed up" in said


def _an_event_in_another_unit_is_named(case: Case, planted: Planted) -> None:
    """A dead letter says in which unit its time would be right."""
    now_s = case.world.clock.now_ms() // 1_000
    send_now(case, {"user_id": int(planted.entity), "action": "view", "watch_ms": 500, "at": now_s})
    _, facts = looked(case, planted.entity, "--feature", "events")
    assert facts["first"] == "reading"
    said = link(facts, "reading")
    assert "in seconds that is" in said["details"][-1]
    assert f"at is {now_s}: in seconds that is" in said["summary"]
    assert f"fp dead-letters {case.name} shows them" in said["next_step"]


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
        ((case.name, "x"), "ENTITY"),
        ((case.name, "1", "--feature", "event"), "events"),
        (("nobody", "1"), "is not deployed"),
    ):
        ran = fp(project, "debug", *arguments)
        assert ran.code == 1
        assert word in ran.messages
    assert fp(project, "debug", case.name, "1", "--at", "yesterday").code == 2
    both = fp(project, "debug", case.name, "1", "--at", LONG_AGO, "--service", "127.0.0.1:1")
    assert both.code == 2
    assert "--service answers for now" in both.messages


def _a_time_before_anything_was_kept_is_said(case: Case, entity: str) -> None:
    """What cannot be served for then is unknown, with the reason; nothing is taken for right."""
    ran, facts = looked(case, entity, "--feature", "events_2h", "--at", LONG_AGO)
    assert ran.code == 0, facts["verdict"]
    served = link(facts, "served")
    assert served["state"] == "unknown"
    assert "2001-01-01" in served["summary"] or "not kept" in served["summary"], served
    assert "unknown: served" in facts["verdict"]


def _an_answer_from_an_old_cache_is_named(case: Case, entity: str) -> None:
    """A service keeps what it has read far longer than this project's settings allow."""
    with serving(case.settings, max_staleness_ms=3_600_000) as address:
        asked = ("--feature", "events", "--service", address)
        ran, facts = looked(case, entity, *asked)
        assert ran.code == 0, facts["verdict"]
        assert link(facts, "service")["state"] == "fine"
        now_ms = case.world.clock.now_ms()
        value = {"user_id": int(entity), "action": "view", "watch_ms": 500, "at": now_ms}
        event = send_now(case, value)
        case.wait()
        until(lambda: looked(case, entity, *asked)[0].code == 3, "an answer that is too old")
        _, facts = looked(case, entity, *asked)
    assert facts["first"] == "service"
    assert link(facts, "served")["state"] == "fine"
    found = link(facts, "service")
    assert (
        f"it lacks 1 event, the first of them {event.partition}/{event.offset} of "
        in found["summary"]
    )
    assert ", which is in the rows since" in found["summary"]
    assert "service.max_staleness_ms of this project is 1,000" in found["details"][0]
    assert "restart it with the project's settings" in found["next_step"]
    _, facts = looked(case, entity, *asked)
    assert link(facts, "service")["state"] == "unknown"
    assert "does not answer" in link(facts, "service")["summary"]


def _a_second_job_that_may_not_write_is_told(case: Case, entity: str) -> None:
    """Its claim is refused, so it ends; nothing is wrong."""
    second = submitted_beside(case)
    until(lambda: not lives(case, second), "the job's end")
    ran, facts = looked(case, entity, "--feature", "events_2h")
    assert ran.code == 0, facts["verdict"]
    assert link(facts, "job")["state"] == "note"
    (told,) = (each for each in link(facts, "job")["details"] if second in each)
    assert "it has no attempt; it is fenced off" in told


def _a_second_job_that_writes_is_named(case: Case, entity: str) -> None:
    """Somebody made it the owner: the deployed job is the one that is fenced off.

    What is said to be done next makes all right again.
    """
    first, second = case.job_id, uuid4().hex
    case.world.registry.set_owner(case.name, 1, second)
    submitted_beside(case, second)
    until(lambda: newest_of(case).deployment == second, "the attempt of the second job")
    _, facts = looked(case, entity, "--feature", "events_2h")
    attempt = newest_of(case).attempt
    assert facts["first"] == "job"
    found = link(facts, "job")
    assert (
        f"{second} (its attempt {attempt} is the newest: it is not fenced off" in found["summary"]
    )
    assert any(f"job {first} can write nothing since" in each for each in found["details"]), found[
        "details"
    ]
    assert f"fp recover {case.name}" in found["next_step"]
    for job in (first, second):
        case.world.cluster.cancel(job)
    assert fp(case.settings.project, "recover", case.name, "--yes").code == 0
    case.wait()
    ran, facts = looked(case, entity, "--feature", "events_2h")
    assert ran.code == 0, facts["verdict"]
    assert not case.differences()


def _an_event_after_the_time_of_its_tiles_is_told(case: Case, entity: str) -> None:
    """It says how late it was, by how much too late, and that nothing is wrong."""
    at_ms = case.world.clock.now_ms() - 100 * 3_600_000
    value = {"user_id": int(entity), "action": "view", "watch_ms": 500, "at": at_ms}
    event = send_now(case, value)
    case.wait()
    ran, facts = looked(case, entity, "--feature", "events")
    assert ran.code == 0, facts["verdict"]
    assert facts["first"] is None
    assert link(facts, "reading")["state"] == "note"
    (told,) = link(facts, "reading")["details"]
    assert told.startswith(f"event {event.partition}/{event.offset} of ")
    assert "100 h 0 min after its time" in told
    assert "lifetime and latest values count it, no window does, and nothing is wrong" in told
    assert "keep in settings, now 6h" in link(facts, "reading")["next_step"]
    assert link(facts, "rows")["state"] == "fine"
    lifetime = next(each for each in facts["values"] if each["name"] == "events_lifetime")
    assert lifetime["served"] == lifetime["recomputed"]


def _a_filter_that_was_edited_is_told(case: Case, entity: str) -> None:
    """What was counted by the earlier one stays: nobody has put anything together wrongly."""
    edited = (TYPO[0], TYPO[1].replace("action = 'veiw'", "action <> 'veiw'"))
    case.deploy(edited, ASKED)
    now_ms = case.world.clock.now_ms()
    value = {"user_id": int(entity), "action": "view", "watch_ms": 500, "at": now_ms}
    send_now(case, value)
    case.wait()
    ran, facts = looked(case, entity, "--feature", "views")
    assert ran.code == 0, facts["verdict"]
    assert facts["verdict"] == "nothing is wrong; read the notes at: definition, served"
    (told,) = link(facts, "definition")["details"]
    assert told.startswith("views counts as it is defined now since ")
    assert "its FILTER was (WHERE action = 'veiw'), and is (WHERE action <> 'veiw')" in told
    assert "--reset COLUMN" in link(facts, "definition")["next_step"]
    (views,) = facts["values"]
    assert (views["served"], views["state"]) == (1, "younger")
    assert views["recomputed"] > 1
    assert link(facts, "rows")["state"] == "fine"
