"""Rankers under steady load, while their store hangs, is killed, and comes back.

Two processes with caches ask at fixed instants. A writer counts events as a job does, an entity's
head with each flush. Every value of every answer must have been right at the instant that the
answer names: now, minus its age.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.errors import StoreUnavailableError
from feature_platform.local.ports import with_free_ports
from feature_platform.local.process import Processes
from feature_platform.local.stack import Stack
from feature_platform.registry.cql import open_registry
from feature_platform.settings import Settings, load_settings, password
from feature_platform.store.base import HEAD_LEVEL, RowWrite, write_timestamp
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import RawEvent
from tests.integration.load_reader import Seen, Task

pytestmark = [pytest.mark.integration, pytest.mark.long]

ENTITIES = [str(number) for number in range(40)]
FEATURES = ["likes.events_lifetime", "likes.events_30m"]
SOURCE = """
source: actions
topic: actions
format: json
event_time: ts
columns: {post: STRING, ts: TIMESTAMP}
"""
FEATURESET = """
featureset: likes
description: Events of a post.
owner: tests
entity: post
source: actions
sql: |
  SELECT post, COUNT(*) AS events FROM actions GROUP BY post
features:
  events: {windows: [30m], lifetime: true}
"""
READERS = 2
STALENESS_MS, DEADLINE_MS = 500, 250
HUNG_S, DOWN_AT_S, KILLED_AT_S = 5.0, 8.0, 20.0
BACK_S, SECONDS_MAX = 20.0, 400.0
"""How long all goes on after the store is back, and how long readers read at most."""
CLOCK_SLACK_MS = 5
"""Instants are noted in whole milliseconds, before and after what they are of."""


@dataclass(kw_only=True)
class Written:
    """When an entity's counts were written (mutable)."""

    began_ms: list[int] = field(default_factory=list)
    """Before the write of 1, 2, 3, ... events."""
    ended_ms: list[int] = field(default_factory=list)

    def range(self, from_ms: int, until_ms: int) -> tuple[int, int]:
        """Return the least and the most that may be read between two instants."""
        return bisect_right(self.ended_ms, from_ms), bisect_left(self.began_ms, until_ms + 1)


class Writer:
    """Counts an event of each entity again and again, as the job of an attempt does. Mutable."""

    def __init__(self, settings: Settings, folder: Path, admin: Connection) -> None:
        """Deploy the feature set without a job."""
        (folder / "featuresets" / "sources").mkdir(parents=True)
        (folder / "featuresets" / "sources" / "actions.yaml").write_text(SOURCE)
        (folder / "featuresets" / "likes.yaml").write_text(FEATURESET)
        featureset = load_project(folder / "featuresets").checked().featuresets["likes"]
        self.snapshot = snapshot_of(featureset)
        self.oracle = Oracle(featureset, self.snapshot.layout, ())
        self.written = {entity: Written() for entity in ENTITIES}
        self.unknown: set[str] = set()
        """Entities whose last write got no answer: it may be there."""
        self._settings = settings
        self._flush = 0
        self._stop = threading.Event()
        CqlTiles(admin).create_table(self.snapshot.table)
        open_registry(admin, SystemClock()).save(self.snapshot)

    def once(self, tiles: CqlTiles) -> None:
        """Count one event of each entity, and write its rows."""
        self._flush += 1
        for entity in ENTITIES:
            now_ms = SystemClock().now_ms()
            if entity not in self.unknown:
                self._count(entity, now_ms)
            expected = self.oracle.entity(entity)
            assert expected is not None
            rows = [RowWrite(level=HEAD_LEVEL, start_ms=0, payload=expected.head)]
            rows += [
                RowWrite(level=tile.level, start_ms=tile.start_ms, payload=tile.payload)
                for tile in expected.closed
            ]
            stamp = write_timestamp(1, self._flush)
            self.unknown.add(entity)
            tiles.write(self.snapshot.table, entity, rows, written=stamp)
            self.unknown.discard(entity)
            self.written[entity].ended_ms.append(SystemClock().now_ms())

    def _count(self, entity: str, now_ms: int) -> None:
        event = json.dumps({"post": entity, "ts": now_ms}).encode()
        offset = len(self.written[entity].began_ms)
        raw = RawEvent(value=event, timestamp_ms=now_ms, partition=int(entity), offset=offset)
        self.oracle.add([raw])
        self.written[entity].began_ms.append(now_ms)

    def run(self) -> None:
        """Write until `stop`, logging in again after the store was away."""
        while not self._stop.is_set():
            with (
                suppress(StoreUnavailableError),
                connect(
                    self._settings.store, "fp_admin", password(self._settings, "admin")
                ) as admin,
            ):
                tiles = CqlTiles(admin)
                while not self._stop.wait(0.1):
                    self.once(tiles)

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    settings = with_free_ports(load_settings(tmp_path, {}))
    (tmp_path / "feature_platform.toml").write_text(
        f"[store]\nport = {settings.store.port}\nstorage_port = {settings.store.storage_port}\n"
    )
    return settings


@pytest.fixture(name="stack")
def _stack(settings: Settings) -> Iterator[Stack]:
    with Stack(settings, servers=("cassandra",)) as stack:
        yield stack


def test_no_answer_is_wrong_or_late_while_the_store_comes_and_goes(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    """It hangs for 5 s, then it is killed and started again; readers are not."""
    with connect(settings.store, "fp_admin", password(settings, "admin")) as admin:
        writer = Writer(settings, tmp_path, admin)
        writer.once(CqlTiles(admin))
    writing = threading.Thread(target=writer.run)
    writing.start()
    readers = [_reader(settings, tmp_path, number) for number in range(READERS)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        began_ms = SystemClock().now_ms()
        _trouble(settings, stack)
        SystemClock().sleep_s(BACK_S)
        (tmp_path / "end").touch()
        for reader in readers:
            assert reader.wait(60) == 0
    finally:
        writer.stop()
        for reader in readers:
            reader.kill()
            reader.communicate()
        writing.join()
    answers = [
        Seen(**each)
        for number in range(READERS)
        for each in json.loads((tmp_path / f"seen{number}.json").read_text())
    ]

    wrong = [problem for seen in answers for problem in _problems(seen, writer.written)]
    assert wrong == []
    assert max(max(seen.ages_ms) for seen in answers) <= STALENESS_MS
    hung = [
        seen for seen in answers if 1 <= (seen.began_ms - began_ms) / 1000 - DOWN_AT_S <= HUNG_S - 1
    ]
    assert any(None in values for seen in hung for values in seen.values), "it did not hang"
    late = [seen.took_s for seen in hung if seen.took_s > HUNG_S / 2]
    assert len(late) <= len(hung) / 20, f"{len(late)} of {len(hung)} waited for the store"
    end_ms = max(seen.began_ms for seen in answers)
    last = [seen for seen in answers if seen.began_ms > end_ms - 5_000]
    served = sum(None not in values for seen in last for values in seen.values)
    assert served >= 0.9 * len(last) * len(ENTITIES), "readers did not recover"


def _reader(settings: Settings, folder: Path, number: int) -> "subprocess.Popen[str]":
    task = Task(
        address=settings.store.contact_points[0],
        keyspace=settings.store.keyspace,
        password=password(settings, "service"),
        features=FEATURES,
        entities=ENTITIES,
        pause_s=0.05,
        seconds_max=SECONDS_MAX,
        deadline_ms=DEADLINE_MS,
    )
    path = folder / f"task{number}.json"
    path.write_text(json.dumps(asdict(task)))
    command = [sys.executable, "-m", "tests.integration.load_reader", str(path)]
    command += [str(folder / f"seen{number}.json"), str(folder / "end")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _trouble(settings: Settings, stack: Stack) -> None:
    """Let the store hang, and later kill it and start it again."""
    process = Processes(settings.data).find("cassandra")
    assert process is not None
    began_s = SystemClock().monotonic_s()
    _wait_until(began_s + DOWN_AT_S)
    os.kill(process.pid, signal.SIGSTOP)
    _wait_until(began_s + DOWN_AT_S + HUNG_S)
    os.kill(process.pid, signal.SIGCONT)
    _wait_until(began_s + KILLED_AT_S)
    process.kill()
    process.wait()
    stack.revive("cassandra")


def _wait_until(until_s: float) -> None:
    SystemClock().sleep_s(max(0.0, until_s - SystemClock().monotonic_s()))


def _problems(seen: Seen, written: dict[str, Written]) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    for entity, age_ms, values in zip(ENTITIES, seen.ages_ms, seen.values, strict=True):
        known_ms = seen.began_ms - age_ms - CLOCK_SLACK_MS
        least, most = written[entity].range(known_ms, seen.ended_ms + CLOCK_SLACK_MS)
        lifetime, window = values
        right = (
            lifetime == window and least <= lifetime <= most
            if lifetime is not None
            else window is None
        )
        if not right:
            yield f"{entity} at {seen.began_ms}, age {age_ms}: {values}, not {least} to {most}"
