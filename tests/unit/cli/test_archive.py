"""`fp archive` knows sources and lists by name, and says what each archive holds."""

import json
from dataclasses import replace

import pytest

from feature_platform.engines import feature_log, spark
from feature_platform.engines.spark import Archived, Report
from feature_platform.errors import EventLogError
from feature_platform.settings import Settings
from tests.unit.cli.running import RunFp


@pytest.fixture(autouse=True)
def _archives(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_list(_: Settings, name: str, __: Report, *, accept_gap: bool = False) -> Archived:
        if name != "home":
            msg = f"feature list {name}: topic feature_log.{name} does not exist in Kafka"
            raise EventLogError(msg)
        letters = 2 if accept_gap else 0
        return _done(f"feature_log/{name}", letters)

    def of_source(*_: object, **__: object) -> Archived:
        return _done("events", 0)

    monkeypatch.setattr(feature_log, "archive_feature_log", of_list)
    monkeypatch.setattr(spark, "archive", of_source)


def _done(name: str, letters: int) -> Archived:
    return Archived(
        source=name,
        records=1_500,
        files=2,
        bytes=99,
        positions={},
        added=500,
        dead_letters=letters,
    )


def test_sources_and_lists_are_archived_by_name(fp: RunFp) -> None:
    """Records of the one, rows of the other."""
    ran = fp("archive", "events", "feature_log/home")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "events: 500 records archived; the log holds 1,500 in 2 files, 99 bytes",
        "feature_log/home: 500 rows archived; the log holds 1,500 in 2 files, 99 bytes",
    ]


def test_dead_letters_are_said(fp: RunFp) -> None:
    """As words and as JSON."""
    ran = fp("archive", "feature_log/home", "--accept-gap")
    assert ran.out.endswith("99 bytes; 2 dead letters among them\n")
    (facts,) = json.loads(fp("archive", "feature_log/home", "--accept-gap", "--json").out)
    assert (facts["source"], facts["dead_letters"]) == ("feature_log/home", 2)


def test_a_list_that_nobody_logs_fails_alone(fp: RunFp) -> None:
    """The others are archived."""
    ran = fp("archive", "feature_log/away", "events")
    assert ran.code == 1
    assert "topic feature_log.away does not exist" in ran.messages
    assert ran.out.startswith("events: 500 records")


def test_a_source_that_is_none_is_wrong_use(fp: RunFp) -> None:
    """Nothing is archived then."""
    ran = fp("archive", "event")
    assert ran.code == 2
    assert "did you mean" in ran.messages


def test_a_history_is_said(fp: RunFp, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rejected may be looked at."""
    counts = {
        "files": 3, "rows": 40, "imported": 38, "after_until": 0, "rejected": 2,
        "unreadable_files": 0,
    }  # fmt: skip

    def of_source(*_: object, **__: object) -> Archived:
        return replace(_done("events", 0), history=counts)

    monkeypatch.setattr(spark, "archive", of_source)
    assert fp("archive", "events").out.splitlines()[1] == (
        "events: history: 38 events from 40 rows in 3 files; 2 rows rejected: fp history events"
    )
    (facts,) = json.loads(fp("archive", "events", "--json").out)
    assert facts["history"] == counts
