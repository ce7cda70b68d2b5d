"""Checks: green on exact rows whatever goes on meanwhile, red on anything else, and told why."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from feature_platform.checks.result import CHECKS
from feature_platform.checks.run import CheckRequest
from feature_platform.checks.scope import Span
from feature_platform.engines.spark_facts import Counted, EntityRows, RecountFact, Sampled
from feature_platform.engines.spark_request import RecountTask
from feature_platform.plan.snapshot import State
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.store.base import (
    RowWrite,
    StoredRow,
    write_timestamp,
)
from feature_platform.testing.reference_rows import encode_row
from tests.unit.checks.bench import ATTEMPT, ENTITIES, HOUR_MS, NOW_MS, Bench
from tests.unit.checks.changes import (
    DAY_MS,
    YESTERDAY,
    busiest,
    change_head,
    closed_tile,
    overwrite,
    partials_of,
)

LIFETIME = 6


def number(summary: str) -> int:
    """Return the first number of a summary."""
    return int(summary.split(maxsplit=1)[0].replace(",", ""))


def test_exact_rows_are_green(bench: Bench) -> None:
    """Every check, over all tiles and over a day; what was compared is said."""
    found = bench.check()
    assert {result.status for result in found.values()} == {"green"}
    assert list(found) == list(CHECKS)
    assert f"{ENTITIES} entities" in found["parity"].summary
    assert bench.red(YESTERDAY) == set()
    compared = {name: number(found[name].summary) for name in ("count", "conservation")}
    assert min(compared.values()) > 10


def test_what_the_job_writes_meanwhile_is_no_alarm(bench: Bench) -> None:
    """A newer epoch has changed the head: its undo row says what it was at the cut."""
    change_head(bench, busiest(bench), attempt=1, checkpoint_id=2)
    assert bench.red() == set()


def test_a_job_that_starts_meanwhile_is_no_alarm(bench: Bench) -> None:
    """Its attempt was claimed after the check had read the registry."""
    entity, recount = busiest(bench), bench.recounter.recount

    def and_restart(task: RecountTask) -> Iterator[RecountFact]:
        bench.registry.add_attempt(
            "posts", 1, replace(ATTEMPT, attempt=2, restore_point=(1, 1), execution="x/2")
        )
        change_head(bench, entity, attempt=2, checkpoint_id=2)
        return recount(task)

    bench.recounter.recount = and_restart  # type: ignore[method-assign]
    assert bench.red() == set()


def test_a_read_that_meets_a_write_is_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what stays wrong is wrong."""
    read, torn = bench.tiles.read_entity, [True]

    def first_torn(table: str, entity: str) -> list[StoredRow]:
        rows = read(table, entity)
        return rows[:1] if torn and torn.pop() else rows

    monkeypatch.setattr(bench.tiles, "read_entity", first_torn)
    assert bench.red() == set()
    assert not torn


def test_an_altered_row_is_explained(bench: Bench) -> None:
    """Feature, entity, tile, both values, the events' offsets, and what to run next."""
    entity = busiest(bench)
    level, start_ms = closed_tile(bench, entity, 3, NOW_MS - NOW_MS % DAY_MS - DAY_MS)
    counters = partials_of(bench, entity)[level, start_ms]
    events_id = next(
        column.id for column in bench.snapshot.layout.columns if column.name == "events"
    )
    right = counters[events_id]
    payload = encode_row(bench.snapshot.layout, {**counters, events_id: right + 1})
    overwrite(bench, entity, (level, start_ms), payload)
    found = bench.check()
    parity = found["parity"]
    assert parity.status == "red"
    text = "\n".join(parity.findings)
    assert f"events of {entity!r}, 3h tile of 2026-02-28T" in text
    assert f"stored {right + 1}, recomputed {right}" in text
    assert f"its {right} events: events/" in text
    assert parity.next_step.startswith("fp ")
    assert found["conservation"].status == "red"
    assert found["decode"].status == "green"
    assert bench.red(YESTERDAY) >= {"parity"}
    today = CheckRequest(span=Span.of_days(date(2026, 3, 1), date(2026, 3, 1)))
    assert bench.red(today) == set()


def test_a_removed_row_is_found(bench: Bench) -> None:
    """By its number of events, by what lies above and below it, and by comparison."""
    entity = busiest(bench)
    key = closed_tile(bench, entity, 2, NOW_MS - NOW_MS % DAY_MS - DAY_MS)
    overwrite(bench, entity, key, None)
    found = bench.check()
    assert {name for name, result in found.items() if result.status == "red"} == {
        "count",
        "conservation",
        "parity",
    }
    assert "the 30m tiles of 2026-02-28 have" in found["count"].findings[0]


@pytest.mark.parametrize("ask", [CheckRequest(), YESTERDAY])
def test_an_added_row_is_found(bench: Bench, ask: CheckRequest) -> None:
    """Of an entity that no event is of, and of one that has events."""
    start_ms = NOW_MS - NOW_MS % DAY_MS - DAY_MS
    bench.tiles.write(
        bench.snapshot.table,
        "nobody",
        [RowWrite(level=4, start_ms=start_ms, payload=encode_row(bench.snapshot.layout, {0: 3}))],
        written=write_timestamp(1, 1),
    )
    found = bench.check(ask)
    assert found["parity"].status == found["count"].status == "red"
    assert (
        "'nobody', 1d tile of 2026-02-28T00:00:00Z: stored 3, recomputed nothing; the event "
        in ("\n".join(found["parity"].findings))
    )


def test_an_unreadable_row_is_named(bench: Bench) -> None:
    """The others are judged all the same."""
    entity = busiest(bench)
    key = closed_tile(bench, entity, 1, NOW_MS - NOW_MS % DAY_MS - DAY_MS)
    overwrite(bench, entity, key, b"\xff\xff\xff")
    found = bench.check()
    assert found["decode"].status == "red"
    assert f"entity {entity!r}, 5m tile of 2026-02-28T" in found["decode"].findings[0]
    overwrite(bench, entity, (1, key[1] + 1000), encode_row(bench.snapshot.layout, {0: 1}))
    assert any("starts inside a tile" in text for text in bench.check()["decode"].findings)


@pytest.mark.parametrize("why", ["upgraded", "incomplete"])
def test_what_cannot_be_known_is_no_alarm(bench: Bench, why: str) -> None:
    """Tiles from before a feature counted, or before the log was whole, are left alone."""
    since_ms = NOW_MS - 30 * HOUR_MS
    bench.recounter.events = [
        event for event in bench.recounter.events if event.timestamp_ms > since_ms
    ]
    assert bench.red() >= {"count", "parity"}
    if why == "incomplete":
        bench.recounter.complete_ms = since_ms
    else:
        features = tuple(
            replace(feature, valid_from_ms=since_ms) for feature in bench.snapshot.features
        )
        bench.deploy(replace(bench.snapshot, features=features))
    found = bench.check()
    assert {result.status for result in found.values()} == {"green"}
    assert "only from 2026-02-28T06:05Z" in found["parity"].summary
    assert number(found["parity"].summary) > 10


@pytest.mark.parametrize(
    ("state", "age_ms", "waiting", "status"),
    [
        ("running", HOUR_MS, 3, "red"),
        ("running", HOUR_MS, 0, "green"),
        ("running", 60_000, 3, "green"),
        ("stopped", HOUR_MS, 3, "skipped"),
    ],
)
def test_freshness_is_how_long_events_wait(
    bench: Bench, state: State, age_ms: int, waiting: int, status: str
) -> None:
    """Of a job that should run; a topic without new events makes no cut stale."""
    bench.deploy(replace(bench.snapshot, state=state))
    bench.clock.advance(age_ms)
    bench.topics.ends["events/0"] += waiting
    found = bench.check()["freshness"]
    assert found.status == status
    assert f"{age_ms // 1000} s old, {waiting} events behind" in found.summary


@pytest.mark.parametrize(("counted", "status"), [(19, "red"), (20, "green")])
def test_a_job_that_stays_behind_is_not_fresh(bench: Bench, counted: int, status: str) -> None:
    """Its cuts are young, but events have waited since it started."""
    bench.registry.add_attempt(
        "posts",
        1,
        replace(ATTEMPT, attempt=2, restore_point=(1, 1), end_offsets={"events/0": 20}),
    )
    bench.clock.advance(HOUR_MS)
    bench.cut(2, 2, counted)
    bench.topics.ends["events/0"] = 25
    assert bench.check()["freshness"].status == status


def test_a_check_that_takes_long_is_no_alarm(bench: Bench) -> None:
    """What was fresh when it began stays so; what expires before it is read is not missed."""
    recount = bench.recounter.recount

    def for_days(task: RecountTask) -> Iterator[RecountFact]:
        for fact in recount(task):
            yield fact
            if isinstance(fact, Counted):
                bench.topics.ends["events/0"] += 1
                bench.clock.advance(42 * HOUR_MS)

    bench.recounter.recount = for_days  # type: ignore[method-assign]
    assert bench.red() == set()
    assert bench.clock.now_ms() == NOW_MS + 7 * DAY_MS


def test_without_a_cut_nothing_is_judged(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so."""
    monkeypatch.setattr(MemoryRegistry, "cuts", lambda *_: iter(()))
    assert {result.status for result in bench.check().values()} == {"skipped"}


def test_a_share_takes_the_same_entities_on_both_sides(bench: Bench) -> None:
    """Those that Spark leaves out are not taken for strangers of the store."""
    whole = bench.recounter.recount

    def half(task: RecountTask) -> Iterator[RecountFact]:
        assert task.wanted.slices == 500_000
        for fact in whole(task):
            if isinstance(fact, Sampled):
                yield Sampled(slices=0)
            elif not isinstance(fact, EntityRows):
                yield fact

    bench.recounter.recount = half  # type: ignore[method-assign]
    assert "0 entities (0.00% of all)" in bench.check(CheckRequest(share=0.5))["parity"].summary


def test_days_are_read_as_a_span() -> None:
    """Both ends are taken in."""
    span = Span.of_days(date(2026, 2, 28), date(2026, 3, 1))
    assert span.days == ("2026-02-28", "2026-03-01")
    assert (
        CheckRequest(span=span).command("posts")
        == "fp check posts --day 2026-02-28 --day 2026-03-01"
    )
