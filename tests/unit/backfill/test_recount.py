"""What a recount looks at before it reads."""

from typing import Any

import pytest

from backfill import archived_log, damage, recount
from feature_platform.engines.spark_facts import EventsFound, LogRead, RecountFact
from feature_platform.engines.spark_request import EventsTask, RecountTask, TileSelection
from feature_platform.errors import EventLogError
from feature_platform.event_log.commits import LogCommit, LogFile, commit_path
from feature_platform.event_log.dates import reading
from tests.unit.engines.spec import SOURCE, SPEC

PATH = "data/date=2026-01-01/part-1.parquet"
LOG = "file:///log"


class Missing:
    """A log whose only file, of 1 January, is gone."""

    root = "/log"

    def paths(self, _: str) -> list[str]:
        """Return the commit."""
        return [commit_path(0)]

    def read(self, _: str) -> bytes:
        """Return its content."""
        file = LogFile(path=PATH, records=10, bytes=1)
        commit = LogCommit(
            number=0, at_ms=1, spans={0: (0, 10)}, added=(file,), reading=reading(SOURCE)
        )
        return commit.to_bytes()

    def sizes(self, _: str) -> list[tuple[str, int]]:
        """Return no file."""
        return []


class ReachedError(Exception):
    """The log was found good enough to be read."""


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setattr(archived_log, "source_files", lambda *_: Missing())
    monkeypatch.setattr(damage, "_lacking", lambda *_: None)
    monkeypatch.setattr(recount, "register_functions", reached)
    monkeypatch.setattr(recount._Events, "read", reached)


def asked(day: str, *, whole_log: bool = False) -> RecountTask:
    """Return the task to recompute a day."""
    return RecountTask(job=SPEC, until={}, wanted=TileSelection(days=(day,), whole_log=whole_log))


def told(*, whole_log: bool) -> RecountFact | EventsFound:
    """Return what a recount of 2 January tells of the log."""
    facts: list[RecountFact | EventsFound] = []
    with pytest.raises(ReachedError):
        recount.recount(session(), LOG, asked("2026-01-02", whole_log=whole_log), facts.append)
    (fact,) = facts
    return fact


def session() -> Any:  # noqa: ANN401 (nobody asks it)
    """Return what stands for Spark."""
    return None


def test_a_missing_file_is_named_before_events_are_looked_for() -> None:
    """They may be of any day."""
    with pytest.raises(EventLogError, match=f"/log/{PATH} of the event log is missing.* a copy"):
        recount.events_of(session(), LOG, EventsTask(job=SPEC, until={}, places=()), lambda _: None)


def test_a_missing_file_of_another_day_is_told_if_the_whole_log_is_asked_for() -> None:
    """A repair reads all days; a check of one does not."""
    assert told(whole_log=False) == LogRead(complete_ms=0, damage=())
    missing = f"/log/{PATH} of the event log is missing"
    assert told(whole_log=True) == LogRead(complete_ms=0, damage=(missing,))


def test_a_missing_file_of_a_day_that_is_read_ends_it() -> None:
    """Nothing could be computed."""
    with pytest.raises(EventLogError, match="restore the missing files from a copy"):
        recount.recount(session(), LOG, asked("2026-01-01"), lambda _: None)
