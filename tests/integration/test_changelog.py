"""The log of commands on the real servers: it adds up to the rows, whatever befalls the job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_platform.deploy.recover import ensure_running
from feature_platform.engines.ports import Submitter
from feature_platform.testing.reference_events import Accepted
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.commands import Ran, fp
from tests.integration.debug_case import Planted, alone_in_its_minute, link, looked, planting, whole
from tests.integration.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture(name="case")
def _case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    """Log everything from the first event on; a third of the events is counted."""
    name = drawn_name("logged")
    settings = project(files_of(name))
    started = fp(settings.project, "changelog", "all", name)
    assert "from its first event on" in said(started)
    with open_case(settings, submitter, name) as made:
        yield made


def said(ran: Ran) -> str:
    """Return all that a command printed."""
    return ran.out + ran.messages


def asked(case: Case, query: str) -> list[dict[str, Any]]:
    """Ask ClickHouse about loaded commands."""
    table = f"changes_{case.name}_g1"
    ran = fp(case.settings.project, "changelog", "sql", query.format(table=table), "--json")
    assert ran.code == 0, said(ran)
    return list(ran.facts)


def checked(case: Case, *entities: str) -> tuple[int, dict[str, Any]]:
    """Run the check."""
    ran = fp(case.settings.project, "changelog", "check", case.name, *entities, "--json")
    return ran.code, dict(ran.facts)


def commands_of(case: Case, entity: str) -> dict[str, Any]:
    """Return what `fp debug` says of an entity's commands."""
    _, facts = looked(case, entity)
    return link(facts, "commands")


def test_the_log_adds_up_to_the_rows_over_crashes(case: Case) -> None:
    """Jobs die between checkpoints, one without state; then a command is taken from the log."""
    for _ in range(2):
        case.lose_job_between_cuts(1 / 8)
        assert ensure_running(case.world, case.name)
    case.send(1)
    case.wait()
    assert case.differences() == []
    for _ in range(2):  # the first one may have begun before
        case.wait_for_a_cut()
    code, found = checked(case)
    states = {each["state"] for each in found["entities"]}
    assert (code, states, found["lost"]) == (0, {"equal"}, 0), found
    assert len(found["entities"]) > 100
    assert sum(each["tiles"] for each in found["entities"]) > 1_000

    assert commands_of(case, found["entities"][0]["entity"])["state"] == "fine"
    for lost, entity in zip((_lost_by_the_job, _lost_by_the_sql), whole(case), strict=False):
        with planting(case, entity) as planted:
            lost(case, planted)

    attempts = case.world.registry.attempts(case.name, 1)
    ends = {each.restore_point[0]: each.restore_point[1] for each in attempts}
    abandoned = " OR ".join(f"(attempt = {a} AND checkpoint_id > {c})" for a, c in ends.items())
    (counted,) = asked(case, f"SELECT count() AS n FROM {{table}} WHERE kind < 4 AND ({abandoned})")
    assert int(counted["n"]) > 0, "no job died with commands that do not count"

    (one,) = asked(
        case,
        "SELECT entity, attempt, subtask, seq FROM {table} WHERE kind = '+I'"
        " ORDER BY attempt DESC, seq DESC LIMIT 1",
    )
    asked(
        case,
        f"ALTER TABLE {{table}} DELETE WHERE attempt = {one['attempt']} AND seq = {one['seq']}"
        f" AND subtask = {one['subtask']} SETTINGS mutations_sync = 1",
    )
    code, found = checked(case, one["entity"])
    assert code == 3
    assert found["entities"][0]["state"] == "different"
    assert "the commands add up to" in found["entities"][0]["differences"][0]
    gap = {"attempt": one["attempt"], "subtask": one["subtask"]}
    assert found["lost"] == 1
    assert found["gaps"] == [gap | {"first": one["seq"], "last": one["seq"]}]
    told = commands_of(case, one["entity"])
    assert told["state"] == "unknown"
    assert "1 row of the log lost" in told["summary"]


def _lost_by_the_job(case: Case, planted: Planted) -> None:
    """Rows lack an event whose command is in the log: the job was given it."""
    lost = alone_in_its_minute(planted)
    planted.counted([row for row in planted.oracle.rows[planted.entity] if row is not lost])
    ran, facts = looked(case, planted.entity, "--feature", "events")
    assert (ran.code, facts["first"]) == (3, "rows")
    told = link(facts, "commands")
    assert told["state"] == "note"
    assert "the job was given every command, and lost or repeated some in" in told["summary"]
    assert f"as if event {_place(lost)} of " in link(facts, "rows")["summary"]


def _lost_by_the_sql(case: Case, planted: Planted) -> None:
    """Neither rows nor log have an event, and no number of the log is missing."""
    lost = alone_in_its_minute(planted)
    planted.counted([row for row in planted.oracle.rows[planted.entity] if row is not lost])
    tile = f"entity = '{planted.entity}' AND tile_ms = {lost.time_ms // 60_000 * 60_000}"
    change = "ALTER TABLE {table} UPDATE kind = '%s' WHERE %s SETTINGS mutations_sync = 1"
    asked(case, change % ("barrier", f"{tile} AND kind = '+I'"))
    ran, facts = looked(case, planted.entity, "--feature", "events")
    asked(case, change % ("+I", f"{tile} AND kind = 'barrier'"))
    assert (ran.code, facts["first"]) == (3, "commands")
    told = link(facts, "commands")
    assert told["summary"].startswith("the SQL gave other commands than the events say: events: 1m")
    assert f"as if event {_place(lost)} of " in told["summary"]
    assert f"fp changelog show {case.name} {planted.entity}" in told["next_step"]
    assert f"fp check {case.name} --repair" in told["next_step"]


def _place(row: Accepted) -> str:
    return f"{row.partition}/{row.offset}"


def test_what_is_logged_changes_while_the_job_runs(case: Case, tmp_path: Path) -> None:
    """Some entities, a share, a long list, one that is too long, nothing."""
    project, job = case.settings.project, case.job_id
    assert fp(project, "changelog", "load", case.name).code == 0
    busy = [
        each["entity"]
        for each in asked(
            case,
            "SELECT entity FROM {table} WHERE kind < 4 GROUP BY entity"
            " ORDER BY count() DESC LIMIT 2",
        )
    ]
    assert "1 entity" in said(fp(project, "changelog", "watch", case.name, busy[0], "--only"))
    until(lambda: _watched(case) == {busy[0]}, "the job watches one")
    case.send(1 / 3)
    case.wait()
    shown = fp(project, "changelog", "show", case.name, busy[0], "--newest", "1000", "--json").facts
    assert {each["kind"] for each in shown} >= {"+I", "watched"}
    tile = ("--tile", "2020-01-01T00:00:00Z")
    told = said(fp(project, "changelog", "show", case.name, busy[0], *tile))
    assert "it has commands of others: leave --tile away" in told, told
    (other,) = asked(
        case,
        f"SELECT count() AS n FROM {{table}} WHERE kind < 4 AND entity != '{busy[0]}' AND at_ms >"
        f" (SELECT max(at_ms) FROM {{table}} WHERE kind = 'watched' AND entity = '{busy[0]}')",
    )
    assert int(other["n"]) == 0

    many = tmp_path / "entities.txt"
    many.write_text("\n".join(str(1_000_000 + number) for number in range(99_999)))
    ran = fp(project, "changelog", "watch", case.name, "--entities", str(many))
    assert "100,000 entities" in said(ran), said(ran)
    until(lambda: len(_watched(case)) == 100_000, "the job watches them", every_s=2)
    strange = fp(project, "changelog", "watch", case.name, "one more")
    assert strange.code == 1
    assert "user_id is BIGINT" in said(strange)
    refused = fp(project, "changelog", "watch", case.name, "999999")
    assert refused.code == 1
    assert "100,001 entities would be watched" in said(refused)
    assert "no commands are logged" in said(fp(project, "changelog", "off", case.name))
    until(lambda: not _watched(case), "the job watches nothing", every_s=2)
    case.send(1 / 3)
    case.wait()
    assert case.job_id == job
    assert case.differences() == []


def _watched(case: Case) -> set[str]:
    """Return what the running attempt says that it watches; all: an empty name."""
    assert fp(case.settings.project, "changelog", "load", case.name).code == 0
    rows = asked(
        case,
        "SELECT entity, argMax(kind, seq) AS last FROM {table} WHERE kind IN (5, 6)"
        " AND attempt = (SELECT max(attempt) FROM {table}) GROUP BY entity HAVING last = 'watched'",
    )
    return {each["entity"] for each in rows}
