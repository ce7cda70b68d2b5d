"""An entity's commands for people: in their order, with values in place of bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.story import story
from feature_platform.testing.changes import Change
from tests.unit.changelog.log_case import clickhouse
from tests.unit.changelog.users_case import DEPLOYED, MINUTE_MS, load, logged
from tests.unit.debug.debug_case import NOW_MS, accounted, record


@pytest.fixture(name="olap")
def _olap(tmp_path: Path) -> Iterator[EmbeddedOlap]:
    with clickhouse(tmp_path) as opened:
        yield opened


def test_commands_of_an_entity(olap: EmbeddedOlap) -> None:
    """The newest, oldest of them first; a tile's alone; markers of the entity."""
    marker = Change(seq=0, kind=5, entity="7", at_ms=NOW_MS)
    load(olap, logged(accounted([record(5), record(9), record(1, ms=4)]), marker))
    found = story(olap, DEPLOYED, "7", None, 10)
    assert [(each["seq"], each["kind"]) for each in found] == [
        (0, "watched"),
        (1, "+I"),
        (2, "+I"),
        (3, "+I"),
    ]
    assert [each["total"] for each in found] == [None, 19, 15, 4]
    assert found[0]["tile"] == ""
    assert [each["seq"] for each in story(olap, DEPLOYED, "7", None, 2)] == [2, 3]
    (one,) = story(olap, DEPLOYED, "7", NOW_MS - 5 * MINUTE_MS, 10)
    assert one["total"] == 15
    assert story(olap, DEPLOYED, "8", None, 10) == []
