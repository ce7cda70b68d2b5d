"""Checks of a log that is damaged, and the events that they name."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.run import CheckRequest, check
from feature_platform.engines.spark_facts import RecountFact
from feature_platform.engines.spark_request import RecountTask
from feature_platform.errors import (
    EventLogError,
    FeaturePlatformError,
    PlanRefusedError,
    SparkFailedError,
)
from feature_platform.testing.reference_rows import encode_row
from tests.unit.checks.bench import HOUR_MS, NOW_MS, Bench
from tests.unit.checks.changes import (
    DAY_MS,
    YESTERDAY,
    busiest,
    closed_tile,
    overwrite,
    partials_of,
)


def test_an_event_that_the_log_lost_is_found(bench: Bench) -> None:
    """The count says on which day, parity of which entity; damaged files are named."""
    entity = busiest(bench)
    (lost, *_) = [row for row in bench.oracle.rows[entity] if row.time_ms > NOW_MS - 20 * HOUR_MS]
    bench.recounter.events = [
        event
        for event in bench.recounter.events
        if (event.partition, event.offset) != (lost.partition, lost.offset)
    ]
    bench.recounter.damage = ["file x holds 9 records, but its commit says 10"]
    found = bench.check()
    assert found["count"].findings[0] == bench.recounter.damage[0]
    steps = {found[name].next_step for name in ("count", "parity")}
    assert steps == {"restore the event log from a copy, then fp check posts"}
    assert all(f" of {entity!r}, " in text for text in found["parity"].findings)


def test_rows_are_not_repaired_from_a_damaged_log(bench: Bench) -> None:
    """They may be the only thing that is right."""
    overwrite(bench, busiest(bench), (4, NOW_MS - NOW_MS % DAY_MS - DAY_MS), None)
    plan = make_repair_plan(bench.reads, "posts", check(bench.reads, "posts", CheckRequest()))
    assert plan is not None
    bench.recounter.damage = ["file x holds 9 records, but its commit says 10"]
    with pytest.raises(
        PlanRefusedError,
        match=r"damaged, .*its commit says 10\. Restore the log .*, then fp check posts",
    ):
        make_repair_plan(bench.reads, "posts", check(bench.reads, "posts", CheckRequest()))


def test_a_repair_of_a_day_is_refused_by_damage_of_another(bench: Bench) -> None:
    """It recomputes from all files, and would learn that only when the job has stopped."""
    overwrite(bench, busiest(bench), (4, NOW_MS - NOW_MS % DAY_MS - DAY_MS), None)
    bench.recounter.elsewhere = ["file x of another day is missing"]
    assert check(bench.reads, "posts", YESTERDAY).damage == ()
    counted = bench.recounter.recount

    def first_fact_only(task: RecountTask) -> Iterator[RecountFact]:
        yield next(counted(task))
        pytest.fail("nothing is recomputed that cannot be corrected")

    bench.recounter.recount = first_fact_only  # type: ignore[method-assign]
    with pytest.raises(PlanRefusedError, match="file x of another day is missing"):
        check(bench.reads, "posts", replace(YESTERDAY, whole_log=True))


@pytest.mark.parametrize("error", [EventLogError("a file is missing"), SparkFailedError("killed")])
def test_a_check_outlives_what_hides_the_events(bench: Bench, error: FeaturePlatformError) -> None:
    """Such as a missing file of a day that was not looked at."""
    entity = busiest(bench)
    overwrite(bench, entity, closed_tile(bench, entity, 3, NOW_MS - NOW_MS % DAY_MS - DAY_MS), None)
    bench.recounter.nameless = error
    found = bench.check(YESTERDAY)["parity"]
    assert found.status == "red"
    assert f"the events of tiles that differ cannot be listed: {error}" in found.summary
    assert found.findings
    assert all(text.endswith("; its events cannot be listed") for text in found.findings)


def test_events_are_those_of_the_finest_tile_that_differs(bench: Bench) -> None:
    """Of a day, or of all events ever, the first ten would tell nothing."""
    entity = busiest(bench)
    keys = [
        closed_tile(bench, entity, 3, NOW_MS - NOW_MS % DAY_MS - DAY_MS),
        (4, NOW_MS - NOW_MS % DAY_MS - DAY_MS),
    ]
    tiles = partials_of(bench, entity)
    events_id = bench.snapshot.layout.column("events").id
    for key in keys:
        wrong = {**tiles[key], events_id: tiles[key][events_id] + 1}
        overwrite(bench, entity, key, encode_row(bench.snapshot.layout, wrong))
    texts = [text for text in bench.check()["parity"].findings if text.startswith("events of")]
    fine, coarse = (text.partition("; ")[2] for text in texts)
    assert fine.startswith("its ")
    assert coarse.startswith("inside it, the 3h tile of 2026-02-28T")
    assert coarse.endswith(f"differs: {fine}")
