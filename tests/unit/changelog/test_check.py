"""Sums of commands beside rows: equal, different, or not judged and why."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from feature_platform.changelog.check import Compared, check, entities, has_commands
from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.checks.scope import Scope
from feature_platform.debug.account import Account
from feature_platform.rows.undo import RowKey
from feature_platform.testing.changes import Change
from tests.unit.changelog.log_case import clickhouse
from tests.unit.changelog.users_case import DEPLOYED, MINUTE_MS, RowsOf, commands, load, logged
from tests.unit.debug.debug_case import NOW_MS, accounted, record

SCOPE = Scope.of(DEPLOYED, NOW_MS, None, 0)
MADE = accounted([record(number) for number in range(1, 100, 4)])


@pytest.fixture(name="olap")
def _olap(tmp_path: Path) -> Iterator[EmbeddedOlap]:
    with clickhouse(tmp_path) as opened:
        yield opened


def checked(olap: EmbeddedOlap, made: Account = MADE, left_out: Sequence[RowKey] = ()) -> Compared:
    """Compare the entity."""
    return check(commands(olap), DEPLOYED, RowsOf(made, left_out), SCOPE, "7")


def test_rows_that_are_what_their_commands_add_up_to(olap: EmbeddedOlap) -> None:
    """Every tile that is kept is compared, in the head and in rows, and lifetime."""
    assert not has_commands(olap, DEPLOYED)
    load(olap, logged(MADE))
    assert has_commands(olap, DEPLOYED)
    assert entities(olap, DEPLOYED, 10) == ["7"]
    found = checked(olap)
    assert (found.state, found.differences) == ("equal", ())
    assert found.tiles >= 2 * len(MADE.counted)


def test_a_command_that_is_not_in_the_row(olap: EmbeddedOlap) -> None:
    """The tile, the feature, what is stored, and what it should be."""
    load(olap, logged(MADE))
    found = checked(olap, accounted([each.record for each in MADE.counted[1:]]))
    assert found.state == "different"
    assert any(
        each.startswith("events, ") and each.endswith("stored nothing, the commands add up to 1")
        for each in found.differences
    )


def test_a_head_that_is_damaged(olap: EmbeddedOlap) -> None:
    """It differs, and why is said; nothing ends."""
    load(olap, logged(MADE))
    found = check(commands(olap), DEPLOYED, RowsOf(MADE, head=b"\xff"), SCOPE, "7")
    assert found.state == "different"
    (said,) = found.differences
    assert said.startswith("its rows: ")


def test_a_row_that_is_gone(olap: EmbeddedOlap) -> None:
    """A closed tile has commands, and no row."""
    load(olap, logged(MADE))
    closed = max(RowKey(*key) for key in _rows() if key[0] == 0)
    found = checked(olap, left_out=[closed])
    assert found.state == "different"
    assert "stored nothing" in found.differences[0]


def test_tiles_from_before_an_entity_was_watched_are_not_judged(olap: EmbeddedOlap) -> None:
    """Of the others all are, and a difference in the first ones is nobody's fault."""
    since_ms = NOW_MS - 60 * MINUTE_MS - DEPLOYED.max_future_ms
    later = [each for each in MADE.counted if each.time_ms >= NOW_MS - 60 * MINUTE_MS]
    marker = Change(seq=0, kind=5, entity="7", checkpoint_id=2, at_ms=since_ms)
    load(olap, logged(accounted([each.record for each in later]), marker))
    found = checked(olap)
    assert (found.state, found.differences) == ("equal", ())
    assert len(later) <= found.tiles < len(MADE.counted) * 2
    assert checked(olap, accounted([each.record for each in MADE.counted[:-1]])).differences


def test_what_is_not_logged_is_not_judged(olap: EmbeddedOlap) -> None:
    """It says why."""
    load(olap, [Change(seq=0, kind=5, entity="8", at_ms=NOW_MS)])
    assert checked(olap).why == "its commands are not logged now"
    load(olap, [Change(seq=1, kind=5, entity="7", checkpoint_id=2, at_ms=NOW_MS)], "second")
    assert checked(olap).why.startswith("none of its tiles began after")


def _rows() -> list[tuple[int, int]]:
    found = MADE.oracle.entity("7")
    assert found is not None
    return list(found.rows)
