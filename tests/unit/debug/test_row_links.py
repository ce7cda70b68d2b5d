"""Stored rows beside the events, whatever is in them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.checks.judge import TRIES
from feature_platform.checks.run import rows_as_of_newest_cut
from feature_platform.checks.scope import Scope
from feature_platform.debug.report import Link
from feature_platform.debug.row_links import rows_link
from feature_platform.registry.base import Cut
from feature_platform.store.base import HEAD_LEVEL, RowWrite, StoredRow, write_timestamp
from tests.unit.debug.debug_case import NOW_MS, accounted, record, snapshot
from tests.unit.debug.test_job_link import FIRST
from tests.unit.stage import Stage, empty_stage

DEPLOYED = replace(snapshot(), deployment="first", job_id="first")
WHOLE = accounted([record(1), record(2), record(3)])
DAMAGED = b"\xff"


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    """Return a world whose store has the entity's rows as of a cut."""
    made = empty_stage(tmp_path)
    made.clock.set(NOW_MS)
    made.registry.set_owner("users", 1, "first")
    made.registry.claim_attempt("users", 1, FIRST)
    cut = Cut(attempt=1, checkpoint_id=5, positions={"posts/0": 4}, recorded_ms=NOW_MS - 5_000)
    made.registry.record_cut("users", 1, cut)
    made.tiles.create_table(DEPLOYED.table)
    entity = WHOLE.oracle.entity("7")
    assert entity is not None
    rows = [
        RowWrite(level=level, start_ms=start_ms, payload=payload)
        for (level, start_ms), payload in entity.rows.items()
    ]
    made.tiles.write(DEPLOYED.table, "7", rows, written=write_timestamp(1, 1))
    return made


def found(stage: Stage) -> Link:
    """Return what is said."""
    rows = rows_as_of_newest_cut(stage.world, DEPLOYED, None)
    scope = Scope.of(DEPLOYED, NOW_MS, None, 0)
    stored = stage.tiles.read_entity(DEPLOYED.table, "7")
    return rows_link(DEPLOYED, rows, scope, WHOLE, stored, None).link


def _damage(stage: Stage, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Return another head from the next reads that judge, then the right one again."""
    left, read = [times + 1], stage.tiles.read_entity

    def reading(table: str, entity: str) -> Sequence[StoredRow]:
        left[0] -= 1
        return [
            replace(row, payload=DAMAGED) if row.level == HEAD_LEVEL and left[0] >= 0 else row
            for row in read(table, entity)
        ]

    monkeypatch.setattr(stage.tiles, "read_entity", reading)


def test_rows_as_the_events_say(stage: Stage) -> None:
    """Every tile and sum agrees."""
    link = found(stage)
    assert link.state == "fine"
    assert "agree with the events, as of cut 1/5" in link.summary


def test_a_head_that_is_damaged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with what repairs it."""
    _damage(stage, monkeypatch, times=1_000)
    link = found(stage)
    assert link.state == "wrong"
    assert link.summary.startswith("its rows cannot be read: ")
    assert "fp check users --repair" in link.next_step


@pytest.mark.parametrize(("times", "state"), [(TRIES - 1, "fine"), (TRIES, "wrong")])
def test_a_read_may_meet_a_write_half_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, times: int, state: str
) -> None:
    """What differs is read again, whether it stays so."""
    _damage(stage, monkeypatch, times)
    assert found(stage).state == state
