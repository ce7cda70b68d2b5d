"""What logged commands say, between the events and the rows: who has lost what."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference
from feature_platform.debug.account import Account
from feature_platform.debug.changelog_link import commands_link
from feature_platform.debug.report import Link
from feature_platform.testing.changes import Change
from tests.unit.changelog.log_case import clickhouse
from tests.unit.changelog.users_case import DEPLOYED, MINUTE_MS, commands, load, logged
from tests.unit.debug.debug_case import NOW_MS, accounted, record

SCOPE = Scope.of(DEPLOYED, NOW_MS, None, 0)
MADE = accounted([record(number) for number in (2, 3, 9)])
LACKS_ONE = accounted([record(number) for number in (2, 9)])
OTHER_ROW = Difference(
    entity="7", key=(0, NOW_MS - 3 * MINUTE_MS), column="events", stored=None, expected=1
)


@pytest.fixture(name="olap")
def _olap(tmp_path: Path) -> Iterator[EmbeddedOlap]:
    with clickhouse(tmp_path) as opened:
        yield opened


def link(
    olap: EmbeddedOlap,
    made: Account = MADE,
    *rows: Difference,
    columns: Sequence[str] | None = None,
) -> Link:
    """Compare them."""
    return commands_link(commands(olap), DEPLOYED, SCOPE, made, rows, columns)


def test_commands_events_and_rows_agree(olap: EmbeddedOlap) -> None:
    """Nothing to say."""
    load(olap, logged(MADE))
    found = link(olap)
    assert (found.state, found.details) == ("fine", ())
    assert "agree with the events" in found.summary


def test_a_command_that_the_job_has_lost(olap: EmbeddedOlap) -> None:
    """Commands and events agree, the row does not: it is the job's."""
    load(olap, logged(MADE))
    found = link(olap, MADE, OTHER_ROW)
    assert found.state == "note"
    assert "and rows do not: the job was given every command" in found.summary


def test_an_event_that_the_sql_has_lost(olap: EmbeddedOlap) -> None:
    """Commands and rows lack it: the event is named."""
    load(olap, logged(LACKS_ONE))
    found = link(olap, MADE, OTHER_ROW)
    assert found.state == "wrong"
    assert "the SQL gave other commands than the events say" in found.summary
    assert "as if event 0/3 of " in "".join([found.summary, *found.details])
    assert "fp changelog show users 7" in found.next_step


def test_what_is_not_asked_about_is_not_told(olap: EmbeddedOlap) -> None:
    """Of one feature alone; that others differ is a note."""
    load(olap, logged(LACKS_ONE))
    found = link(olap, MADE, OTHER_ROW, columns=["events"])
    assert found.state == "wrong"
    assert "say: events: 1m tile of" in found.summary
    assert len(found.details) == 1
    found = link(olap, MADE, columns=["likes"])
    assert (found.state, "differences in other columns" in found.details[0]) == ("note", True)


def test_what_the_log_has_lost_is_nobodys_fault(olap: EmbeddedOlap) -> None:
    """A gap in the numbers: the difference may be in it."""
    load(olap, [each for each in logged(MADE) if each.seq != 2])
    found = link(olap)
    assert found.state == "unknown"
    assert "1 row of the log lost" in found.summary
    assert "attempt 1, subtask 0: 2" in found.details


def test_a_log_that_lacks_what_the_rows_have(olap: EmbeddedOlap) -> None:
    """The rows are right, so it says nothing of the SQL."""
    load(olap, logged(LACKS_ONE))
    found = link(olap)
    assert found.state == "unknown"
    assert "because its rows are right" in found.summary


def test_nothing_is_logged_yet_or_not_long_enough(olap: EmbeddedOlap) -> None:
    """It is watched since a moment ago."""
    assert commands_link(None, DEPLOYED, SCOPE, MADE, ()).state == "unknown"
    load(olap, [Change(seq=0, kind=5, entity="7", checkpoint_id=2, at_ms=NOW_MS)])
    assert link(olap).state == "note"
