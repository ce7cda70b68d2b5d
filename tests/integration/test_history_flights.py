"""Flights whose first half is in a table are the same rows as flights that all came by Kafka."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from feature_platform.broker.sender import ensure_topic
from feature_platform.checks.run import CheckRequest, check
from feature_platform.cli.reading import open_store
from feature_platform.clock import SystemClock, to_iso
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.demo.flights import Flight, read_flights
from feature_platform.deploy.wait import wait
from feature_platform.engines.flink_metrics import job_metrics
from feature_platform.engines.ports import Submitter
from feature_platform.engines.spark import SparkAnswerer, archive
from feature_platform.engines.world import World, open_world
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_head, decode_items
from feature_platform.settings import Settings
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import RawEvent
from feature_platform.training.asked import asked_list
from feature_platform.training.build import BuildRequest, build
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import open_spine
from tests.integration.judge import deploy, load, produce
from tests.integration.waiting import PATIENCE_S, until

SHARE = 12
"""One in so many flights."""
FILES = 3
DAY_MS = 86_400_000
COLUMNS = ("carrier", "tailnum", "origin", "dest", "dep_delay", "distance")
SOURCE = """
source: {name}
topic: {name}
format: json
event_time: scheduled
columns:
  scheduled: TIMESTAMP
  carrier: STRING
  tailnum: STRING
  origin: STRING
  dest: STRING
  dep_delay: INT
  distance: INT
"""
HISTORY = """
history:
  files: {files}
  format: {format}
  until: {until}
  columns: {{scheduled: Scheduled, carrier: carrier, tailnum: tailnum, origin: From, dest: dest,
             dep_delay: dep_delay, distance: distance}}
"""
FEATURES = """
featureset: {name}
owner: tests
entity: carrier
source: {name}
sql: |
  SELECT carrier,
         COUNT(*)                                AS flights,
         COUNT(*) FILTER (WHERE dep_delay > 15)  AS late,
         SUM(distance)                           AS miles,
         AVG(dep_delay)                          AS delay,
         MAX(dep_delay)                          AS worst
  FROM {name}
  GROUP BY carrier
grid: [1h, 1d]
features:
  flights: {{windows: [1d, 30d, 150d], lifetime: true}}
  late:    {{windows: [30d], lifetime: true}}
  miles:   {{lifetime: true}}
  delay:   {{windows: [30d]}}
  worst:   {{windows: [1d, 30d], lifetime: true}}
settings: {{checkpoint_interval: 3s, flush_interval: 1s, keep: 100d}}
"""
ORDERED = """
featureset: {name}_last
owner: tests
entity: carrier
source: {name}
sql: |
  SELECT carrier, FIRST_VALUE(dest) AS first_dest, LAST_VALUE(origin) AS origin,
         LAST_N(dest, 50) AS dests
  FROM {name}
  GROUP BY carrier
features: {{first_dest: latest, origin: latest, dests: latest}}
settings: {{checkpoint_interval: 3s, flush_interval: 1s}}
"""


@dataclass(frozen=True, kw_only=True)
class Flights:
    """What happened, and where it is cut."""

    all: Sequence[Flight]
    by_ms: int
    until_ms: int

    def time_ms(self, flight: Flight) -> int:
        """Return when a flight is, as it is told here."""
        return flight.time_ms + self.by_ms

    @property
    def before(self) -> list[Flight]:
        """The first half."""
        return [each for each in self.all if self.time_ms(each) < self.until_ms]

    @property
    def after(self) -> list[Flight]:
        """The second half; the first of it is at the seam."""
        return self.all[len(self.before) :]  # type: ignore[return-value]

    def event(self, flight: Flight, offset: int) -> RawEvent:
        """Return a flight's event, sent when it was."""
        time_ms = self.time_ms(flight)
        fields = {name: flight.fields[name] for name in COLUMNS}
        value = json.dumps({"scheduled": time_ms, **fields}).encode()
        return RawEvent(partition=0, offset=offset, value=value, timestamp_ms=time_ms)

    def table(self, flights: Sequence[Flight]) -> pa.Table:
        """Return flights as a warehouse has them."""
        times = [self.time_ms(each) for each in flights]
        columns = {name: [each.fields[name] for each in flights] for name in COLUMNS}
        columns["From"] = columns.pop("origin")
        at = pa.array(times, pa.timestamp("ms", "UTC"))
        return pa.table({"Scheduled": at, **columns, "flight": list(range(len(flights)))})


def _flights() -> Flights:
    """Take some flights, the last of them now, and cut them at one of them."""
    chosen = read_flights()[::SHARE]
    by_ms = SystemClock().now_ms() - chosen[-1].time_ms - DAY_MS
    middle = chosen[len(chosen) // 2]
    return Flights(all=chosen, by_ms=by_ms, until_ms=middle.time_ms + by_ms)


def _write_tables(folder: Path, flights: Flights) -> None:
    """Write the first half, and what follows the seam: that is the topic's."""
    (folder / "warehouse").mkdir()
    part = -(-len(flights.before) // FILES)
    for number in range(FILES):
        some = flights.before[number * part : (number + 1) * part]
        if number == FILES - 1:
            some += flights.after[:100]
        table = flights.table(some)
        parquet.write_table(table, folder / f"warehouse/{number}.parquet")
        options = csv.WriteOptions(quoting_style="needed")
        columns = [
            table.column(name) if name != "Scheduled" else
            pa.array([to_iso(flights.time_ms(each)) for each in some])
            for name in table.column_names
        ]  # fmt: skip
        text = pa.table(dict(zip(table.column_names, columns, strict=True)))
        csv.write_csv(text, folder / f"warehouse/{number}.csv", options)


def _files(names: Mapping[str, str], flights: Flights) -> dict[str, str]:
    """Return the definitions: a source by the kind of its history, empty for none."""
    found = {}
    for kind, name in names.items():
        history = HISTORY.format(
            files=f"warehouse/*.{kind}", format=kind, until=to_iso(flights.until_ms)
        )
        source = SOURCE.format(name=name) + (history if kind else "")
        found[f"featuresets/sources/{name}.yaml"] = source
        found[f"featuresets/{name}.yaml"] = FEATURES.format(name=name)
        found[f"featuresets/{name}_last.yaml"] = ORDERED.format(name=name)
    return found


def _rows(settings: Settings, snapshot: Snapshot) -> dict[tuple[str, int, int], bytes]:
    """Return everything that is stored of a feature set."""
    with open_store(settings) as (_, tiles):
        return {
            (entity, row.level, row.start_ms): row.payload
            for entity in tiles.entities(snapshot.table)
            for row in tiles.read_entity(snapshot.table, entity)
            if row.level >= HEAD_LEVEL
        }


def _items(rows: Mapping[tuple[str, int, int], bytes]) -> dict[Any, Any]:
    """Return the items of ordered features, without where their events were."""
    found = {}
    for (entity, level, _), payload in rows.items():
        assert level == HEAD_LEVEL
        for tile_level, tile_start, row in decode_head(payload):
            for number, kept in row.features.items():
                key = (entity, tile_level, tile_start, number)
                found[key] = [(item.time_ms, item.value) for item in decode_items(kept, "text")]
    return found


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_first_half_may_come_from_a_table(
    project: Callable[[Mapping[str, str]], Settings], submitter: Submitter, tmp_path: Path
) -> None:
    """Byte for byte; what is at the seam counts once, wherever it is and however late it comes."""
    flights, token = _flights(), uuid4().hex[:6]
    names = {kind: f"flights_{kind or 'kafka'}_{token}" for kind in ("", "parquet", "csv")}
    settings = project(_files(names, flights))
    _write_tables(settings.project, flights)
    everything = [flights.event(each, number) for number, each in enumerate(flights.all)]
    half = len(flights.before)
    late = [flights.event(flights.before[number], 0) for number in (0, half // 2, half - 1)]
    with open_world(settings, submitter) as world:
        for kind, name in names.items():
            ensure_topic(settings.kafka, name)
            produce(settings, name, [*late, *everything[half:]] if kind else everything)
        deployed = {kind: _deployed(world, settings, name) for kind, name in names.items()}
        for kind in ("parquet", "csv"):  # the backfill has read those before, the job reads these
            produce(settings, names[kind], late)
            for each in deployed[kind]:
                wait(world, each.featureset, timeout_s=PATIENCE_S)
        produced = {kind: _counted(settings, deployed[kind]) for kind in names}

        expected, ordered = produced[""]
        assert len(expected) > 1_000
        assert len(ordered) > 10
        for kind in ("parquet", "csv"):
            assert produced[kind][0] == expected
            assert produced[kind][1] == ordered
            _assert_checked(world, names[kind])
            _assert_seen_in_metrics(world, deployed[kind][0].job_id, len(late))
        _assert_same_training_sets(settings, world, names, flights, tmp_path)
        _assert_never_empty(world, settings, names["csv"])


def _deployed(world: World, settings: Settings, name: str) -> list[Snapshot]:
    made = [deploy(world, settings, each) for each in (name, f"{name}_last")]
    for each in made:
        wait(world, each.featureset, timeout_s=PATIENCE_S)
    return made


def _counted(
    settings: Settings, of: Sequence[Snapshot]
) -> tuple[Mapping[tuple[str, int, int], bytes], Mapping[Any, Any]]:
    return _rows(settings, of[0]), _items(_rows(settings, of[1]))


def _assert_checked(world: World, name: str) -> None:
    """What is stored is what table and topic say together."""
    report = check(world, name, CheckRequest(share=1.0))
    assert {each.check: each.status for each in report.results if each.status != "green"} == {}


def _assert_seen_in_metrics(world: World, job_id: str, late: int) -> None:
    """What the topic has of the table's events is counted, though nothing else is done with it."""
    until(lambda: job_metrics(world.cluster, job_id).whole("in_history") == late, "the metric")


def _assert_same_training_sets(
    settings: Settings, world: World, names: Mapping[str, str], flights: Flights, folder: Path
) -> None:
    """Labels on both sides of the seam, and at it, get the same features."""
    carriers = ("UA", "B6", "EV", "XX")
    instants = [flights.until_ms + by for by in (-100 * DAY_MS, -1, 0, 1, DAY_MS, 40 * DAY_MS)]
    spine = pa.Table.from_pylist(
        [{"carrier": each, "at": at} for each in carriers for at in instants],
        pa.schema({"carrier": pa.string(), "at": pa.timestamp("ms")}),
    )
    found = {}
    for kind, name in names.items():
        archive(settings, load(settings).sources[name], lambda _: None)
        snapshot = world.registry.snapshot(name)
        assert snapshot is not None
        features = tuple(
            ListedFeature(name=f"{name}.{served}", shown_as=served)
            for feature in snapshot.features
            for served in feature.served_names
        )
        request = BuildRequest(
            asked=asked_list(FeatureList(name="all", version=1, features=features), [snapshot], 0),
            columns=SpineColumns(keys={"carrier": "carrier"}, instant="at"),
            out=folder / f"set{kind}",
            as_of="event",
        )
        made = build(settings, request, open_spine(spine), SparkAnswerer(settings), SystemClock())
        found[kind] = made.to_table().to_pylist()
    assert found[""] == found["parquet"] == found["csv"]
    assert sum(row["_status"] == "ok" for row in found[""]) >= 15


def _assert_never_empty(world: World, settings: Settings, name: str) -> None:
    """Nobody begins without what every check would count."""
    from feature_platform.deploy.apply import make_plans

    definition = settings.featuresets / f"{name}.yaml"
    definition.write_text(definition.read_text().replace("grid: [1h, 1d]", "grid: [2h, 1d]"))
    with pytest.raises(PlanRefusedError, match="cannot begin empty"):
        make_plans(world, load(settings), [name], start_empty=True)
