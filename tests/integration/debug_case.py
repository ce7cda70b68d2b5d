"""Plants faults in the rows of one entity, and asks `fp debug` about it."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from feature_platform.plan.snapshot import Snapshot
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
    yield made
    made.write({RowKey(row.level, row.start_ms): row.payload for row in before})
