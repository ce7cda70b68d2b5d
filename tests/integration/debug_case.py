"""Plants faults in the rows of one entity, and asks `fp debug` about it."""

import json
import os
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from feature_platform.deploy.start import begin
from feature_platform.engines.job_spec import job_spec
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt
from feature_platform.rows.undo import RowKey
from feature_platform.settings import Settings
from feature_platform.store.base import HEAD_LEVEL, RowWrite, StoredRow, write_timestamp
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.reference_events import Accepted, DeadLetter
from tests.integration.case import Case
from tests.integration.commands import FP, Ran, fp
from tests.integration.judge import load, produce
from tests.integration.waiting import until
from tests.unit.service.conftest import free_ports


def looked(case: Case, entity: str, *more: str) -> tuple[Ran, dict[str, Any]]:
    """Run `fp debug`; return what it printed, and what is to be read first."""
    ran = fp(case.settings.project, "debug", case.name, entity, "--json", *more)
    return ran, ran.facts


def link(facts: dict[str, Any], place: str) -> dict[str, Any]:
    """Return what was found at a place."""
    (found,) = (each for each in facts["links"] if each["place"] == place)
    return dict(found)


def whole(case: Case) -> list[str]:
    """Return the entities of which every event can be read, the busiest first."""
    oracle = Planted(case, "").oracle
    refused = b" ".join(
        event.value or b""
        for event in case.events[: case.sent]
        if isinstance(oracle.read(event), DeadLetter)
    ).decode("utf-8", "replace")
    busiest = sorted(oracle.entities, key=lambda each: -len(oracle.rows[each]))
    return [each for each in busiest if each not in refused]


def send_now(case: Case, value: Mapping[str, object]) -> RawEvent:
    """Send an event that the recount of everything knows, too."""
    partition = 0
    event = RawEvent(
        value=json.dumps(value).encode(),
        timestamp_ms=case.world.clock.now_ms(),
        partition=partition,
        offset=case.world.topics.end_offsets(case.name)[f"{case.name}/{partition}"],
    )
    produce(case.settings, case.name, [event])
    case.events.insert(case.sent, event)
    case.sent += 1
    return event


@contextmanager
def serving(settings: Settings, **service: int) -> Iterator[str]:
    """Run `fp serve` on a project with other settings of the service; yields its address."""
    port, http_port = free_ports()
    told = {"port": port, "http_port": http_port, "notice_ms": 0, **service}
    environment = {f"FP_SERVICE__{name}".upper(): str(each) for name, each in told.items()}
    process = subprocess.Popen(
        [FP, "--project", settings.project, "serve"],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: is_up(f"http://127.0.0.1:{http_port}/healthz"), "the service")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def is_up(url: str) -> bool:
    """Tell whether an address answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def submitted_beside(case: Case, job_id: str = "") -> str:
    """Submit what is deployed a second time, from the newest cut; return the new job's id."""
    snapshot = case.world.registry.snapshot(case.name)
    assert snapshot is not None
    job_id = job_id or uuid4().hex
    begun = begin(case.world, snapshot, "store", accept_age=False)
    spec = job_spec(replace(snapshot, deployment=job_id), case.settings, begun.fields)
    case.world.submitter.submit(spec, job_id, "")
    return job_id


def lives(case: Case, job_id: str) -> bool:
    """Tell whether a job runs or is about to."""
    job = case.world.cluster.job(job_id)
    return job is not None and job.lives


def newest_of(case: Case) -> Attempt:
    """Return the newest attempt."""
    return case.world.registry.attempts(case.name, 1)[-1]


class Planted:
    """The rows of one entity, changed and put back."""

    def __init__(self, case: Case, entity: str) -> None:
        """Look at an entity."""
        snapshot = case.world.registry.snapshot(case.name)
        assert snapshot is not None
        self.snapshot: Snapshot = snapshot
        self.case, self.entity = case, entity
        self.attempt = case.world.registry.attempts(case.name, 1)[-1].attempt
        self.oracle = Oracle(
            load(case.settings).featuresets[case.name],
            snapshot.layout,
            [*case.events[: case.sent]],
        )

    def rows(self) -> list[StoredRow]:
        """Return what is stored."""
        return [
            row
            for row in self.case.world.tiles.read_entity(self.snapshot.table, self.entity)
            if row.level >= HEAD_LEVEL
        ]

    def write(self, payloads: dict[RowKey, bytes], *, attempt: int = 0) -> None:
        """Write rows as a job would that counts otherwise."""
        for row in self.rows():
            key = RowKey(row.level, row.start_ms)
            if key in payloads:
                written = write_timestamp(attempt, 1) if attempt else row.written + 1
                ttl_s = 0 if row.level == HEAD_LEVEL else 3_600
                change = RowWrite(
                    level=row.level, start_ms=row.start_ms, payload=payloads[key], ttl_s=ttl_s
                )
                self.case.world.tiles.write(
                    self.snapshot.table, self.entity, [change], written=written
                )

    def counted(self, rows: Sequence[Accepted]) -> None:
        """Write what the rows of some events would be."""
        oracle = Oracle(self.oracle.featureset, self.snapshot.layout)
        for row in rows:
            oracle.add_row(row)
        made = oracle.entity(self.entity)
        assert made is not None
        self.write({RowKey(*key): payload for key, payload in made.rows.items()})


@contextmanager
def planting(case: Case, entity: str) -> Iterator[Planted]:
    """An entity whose rows are put back at the end."""
    made = Planted(case, entity)
    before = made.rows()
    try:
        yield made
    finally:
        made.write({RowKey(row.level, row.start_ms): row.payload for row in before})


def alone_in_its_minute(planted: Planted) -> Accepted:
    """Return the newest event that is the only one of a finest tile: of one command."""
    rows = planted.oracle.rows[planted.entity]
    minutes = Counter(row.time_ms // 60_000 for row in rows)
    return max(
        (row for row in rows if minutes[row.time_ms // 60_000] == 1), key=lambda row: row.time_ms
    )
