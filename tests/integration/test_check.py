"""Checks on real servers: green while the stream runs, red and explained for all that is wrong."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pyspark.sql import Row, SparkSession

from feature_platform.broker.sender import ensure_topic
from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import Check, CheckReport, CheckResult
from feature_platform.checks.run import CheckRequest, check
from feature_platform.checks.scope import Span
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.execute import execute
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.plan.snapshot import Snapshot
from feature_platform.settings import Settings
from feature_platform.store.base import RowWrite, StoredRow, write_timestamp
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.reference_events import Accepted, DeadLetter, judge
from feature_platform.testing.reference_rows import encode_row
from tests.integration.commands import fp
from tests.integration.everything import HOUR_MS, PARTITIONS, files, random_events
from tests.integration.judge import assert_equal, deploy, load, produce, short_grace
from tests.integration.recounter import RecounterHere
from tests.integration.waiting import PATIENCE_S

EVENTS, LIVE = 4_000, 300
ENTITIES = 60
SEED = 91


@pytest.fixture
def settings(project: Callable[[Mapping[str, str]], Settings], name: str) -> Settings:
    """A project with every aggregate, and an event log of its own."""
    made = project(files(name))
    assert ensure_topic(made.kafka, name, clock="producers") == PARTITIONS
    return short_grace(made)


@pytest.fixture
def name() -> str:
    """The feature set's."""
    return f"checked_{uuid4().hex[:6]}"


def verdicts(found: CheckReport) -> dict[Check, CheckResult]:
    """Return the results by check."""
    return {result.check: result for result in found.results}


def red(found: CheckReport) -> set[Check]:
    """Return which checks are red."""
    return {result.check for result in found.results if result.status == "red"}


def test_checks_find_what_is_wrong_and_nothing_else(
    settings: Settings,
    name: str,
    spark: SparkSession,
    submitter: Submitter,
) -> None:
    """A day of it: streamed, archived, checked while events come, damaged, repaired, gone on."""
    featureset = load(settings).featuresets[name]
    events = random_events(featureset, EVENTS + 2 * LIVE, entities=ENTITIES, hours=3, seed=SEED)
    with open_world(settings, submitter) as real:
        recounter = RecounterHere(spark, settings.event_log_folder)
        world = replace(real, recounter=recounter)
        snapshot = deploy(world, settings, name)
        produce(settings, name, events[:EVENTS])
        wait(world, name, timeout_s=PATIENCE_S)
        archived = fp(settings.project, "archive", name, "--json")
        assert archived.facts[0]["records"] == EVENTS
        _check_while_events_come(settings, name, events)
        oracle = Oracle(featureset, snapshot.layout, events[: EVENTS + LIVE])
        wait(world, name, timeout_s=PATIENCE_S)
        _check_some(world, name)
        _damage(world, snapshot, oracle)
        found = check(world, name, CheckRequest())
        _assert_explained(found, oracle, name)
        plan = make_repair_plan(world, name, found)
        assert plan is not None
        execute(plan, world)
        produce(settings, name, events[EVENTS + LIVE :])
        assert_equal(settings, world, Oracle(featureset, snapshot.layout, events), name)
        log = Path(urlsplit(settings.event_log_folder).path) / name / name
        lost = _lose_an_event(spark, log, featureset)
        found = check(world, name, CheckRequest())
        assert red(found) >= {"count", "parity"}
        altered, lacking, *_ = verdicts(found)["count"].findings
        assert "records, but its commit says" in altered
        said = "1 record is gone, 1 archived offset is in no file: "
        assert lacking == f"{said}{lost}"


def _check_while_events_come(settings: Settings, name: str, events: list[RawEvent]) -> None:
    """Run the command as a person does; the newest events are not archived yet."""
    live = threading.Thread(target=produce, args=(settings, name, events[EVENTS : EVENTS + LIVE]))
    live.start()
    ran = fp(settings.project, "check", name, "--json")
    live.join()
    results = {result["check"]: result for result in ran.facts}
    assert {result["status"] for result in results.values()} == {"green"}, ran.facts
    assert ran.code == 0


def _check_some(world: World, name: str) -> None:
    """Check half of the entities, and the tiles of the days that the events are of."""
    today = datetime.fromtimestamp(world.clock.now_ms() / 1000, UTC).date()
    days = Span.of_days(today - timedelta(days=1), today)
    for ask, of in (
        (CheckRequest(share=0.5), "(50.00% of all)"),
        (CheckRequest(span=days), "entities"),
    ):
        found = verdicts(check(world, name, ask))
        assert {result.status for result in found.values()} == {"green"}, found
        summary = found["parity"].summary
        assert of in summary
        assert not summary.startswith("0 "), "something was compared"


def _damage(world: World, snapshot: Snapshot, oracle: Oracle) -> None:
    """Alter a row of one entity, remove one of another, and add an entity."""
    altered, removed = oracle.entities[:2]
    for entity, payload in ((altered, encode_row(snapshot.layout, {0: 77})), (removed, None)):
        row = _first_closed(world, snapshot, entity)
        change = RowWrite(level=row.level, start_ms=row.start_ms, payload=payload, ttl_s=3600)
        world.tiles.write(snapshot.table, entity, [change], written=row.written + 1)
    start_ms = world.clock.now_ms() // HOUR_MS * HOUR_MS - HOUR_MS
    added = RowWrite(
        level=2, start_ms=start_ms, payload=encode_row(snapshot.layout, {0: 5}), ttl_s=3600
    )
    world.tiles.write(snapshot.table, "nobody", [added], written=write_timestamp(1, 1))


def _first_closed(world: World, snapshot: Snapshot, entity: str) -> StoredRow:
    rows = world.tiles.read_entity(snapshot.table, entity)
    return next(row for row in rows if row.level == 2)


def _assert_explained(found: CheckReport, oracle: Oracle, name: str) -> None:
    altered, removed = oracle.entities[:2]
    assert set(found.wrong) == {altered, removed, "nobody"}
    assert red(found) == {"count", "conservation", "parity"}
    parity = verdicts(found)["parity"]
    text = "\n".join(parity.findings)
    assert f"{altered!r}, 30m tile of " in text
    assert "stored 77, recomputed " in text
    assert f"events: {name}/" in text
    assert parity.next_step == f"fp check {name} --repair"


def _lose_an_event(spark: SparkSession, log: Path, featureset: FeatureSet) -> str:
    """Rewrite a file of the log without one of the events that count; return which, in words."""
    largest = max(log.glob("data/*/*.parquet"), key=lambda path: path.stat().st_size)
    rows = spark.read.parquet(str(largest)).where("reason IS NULL")
    source = replace(featureset.source, columns=featureset.reads)
    lost = next(
        row
        for row in rows.orderBy("partition", "offset").collect()
        if _counts(judge(source, featureset.entity, _raw(row), featureset.sum_scales))
    )
    kept = spark.read.parquet(str(largest)).where(
        f"NOT (partition = {lost['partition']} AND offset = {lost['offset']})"
    )
    copy = log / "copy"
    kept.coalesce(1).write.parquet(str(copy))
    (written,) = copy.glob("*.parquet")
    (largest.parent / f".{largest.name}.crc").unlink(missing_ok=True)
    largest.write_bytes(written.read_bytes())
    return f"{log.name}/{lost['partition']}: {lost['offset']} to {lost['offset']}"


def _counts(event: Accepted | DeadLetter) -> bool:
    """Tell whether the definition's WHERE lets an event through."""
    return isinstance(event, Accepted) and event.columns["action"] != "skip"


def _raw(row: Row) -> RawEvent:
    return RawEvent(
        value=bytes(row["value"]),
        partition=row["partition"],
        offset=row["offset"],
        timestamp_ms=row["timestamp"],
    )
