"""Checks of a cut that is older than undo rows are kept."""

from collections.abc import Iterator

import pytest

from feature_platform.engines.spark_facts import Counted, RecountFact
from feature_platform.engines.spark_request import RecountTask
from feature_platform.lineage import as_of
from feature_platform.testing.reference_rows import encode_row
from tests.unit.checks.bench import HOUR_MS, NOW_MS, Bench
from tests.unit.checks.changes import (
    DAY_MS,
    busiest,
    change_head,
    closed_tile,
    overwrite,
)


def check_for_13_hours(bench: Bench) -> None:
    """Let undo rows expire before anything is read."""
    recount = bench.recounter.recount

    def slowly(task: RecountTask) -> Iterator[RecountFact]:
        for fact in recount(task):
            if isinstance(fact, Counted):
                bench.clock.advance(NOW_MS + 13 * HOUR_MS - bench.clock.now_ms())
            yield fact

    bench.recounter.recount = slowly  # type: ignore[method-assign]


def test_what_undo_rows_tell_no_more_is_no_alarm(bench: Bench) -> None:
    """A row written after the cut does not pass for one as of it; how many there are is said."""
    change_head(bench, busiest(bench), attempt=1, checkpoint_id=2, undo_ttl_s=12 * 3600)
    assert bench.red() == set()
    check_for_13_hours(bench)
    found = bench.check()
    assert {name for name, result in found.items() if result.status == "red"} == set()
    said = "left out: 1 row that may have been written after the cut of 2026-03-01T12:00:00Z"
    assert all(said in found[name].summary for name in ("count", "conservation", "parity"))


def test_what_was_written_before_the_cut_is_judged_however_old_it_is(bench: Bench) -> None:
    """Of the same entity, too: its closed tiles need no undo rows."""
    entity = busiest(bench)
    overwrite(bench, entity, closed_tile(bench, entity, 4, NOW_MS - NOW_MS % DAY_MS - DAY_MS), None)
    change_head(bench, entity, attempt=1, checkpoint_id=2, undo_ttl_s=12 * 3600)
    other = next(key for key in bench.oracle.entities if key != entity)
    key = closed_tile(bench, other, 4, NOW_MS - NOW_MS % DAY_MS - DAY_MS)
    overwrite(bench, other, key, encode_row(bench.snapshot.layout, {0: 1}))
    check_for_13_hours(bench)
    found = bench.check()
    assert {name for name, result in found.items() if result.status == "red"} == {
        "count",
        "conservation",
        "parity",
    }
    assert all(repr(other) in text for text in found["parity"].findings)


def test_what_compares_nothing_is_not_green(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log would be compared with itself, where nobody knows what was stored."""
    monkeypatch.setattr(as_of.Past, "is_certain", lambda *_: False)
    check_for_13_hours(bench)
    found = bench.check()
    skipped = {name for name, result in found.items() if result.status == "skipped"}
    assert skipped == {"count", "conservation", "parity", "decode"}
    assert all(found[name].summary.startswith("nothing was compared") for name in skipped)
