"""A ranker with a cache keeps asking while a job is killed, recovered, upgraded and rolled back.

Each event of an entity adds another number, so each state that an entity ever had is known by its
count alone. An answer that mixes rows of two attempts, or old tiles with a new head, is none of
them.
"""

import json
import subprocess
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from feature_platform.clock import SystemClock
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import ensure_running, make_rollback_plan
from feature_platform.engines.ports import Submitter
from feature_platform.settings import password
from feature_platform.testing import RawEvent
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.load_reader import Seen, Task
from tests.integration.test_recovery import WIDER

pytestmark = [pytest.mark.integration, pytest.mark.long]

ENTITIES = [str(1_000_000 + number) for number in range(20)]
PARTITIONS = 2
FIRST_WATCH_MS = 1_000
STALENESS_MS, DEADLINE_MS = 500, 2_000
SECONDS_MAX, SETTLED_S = 400.0, 2.0
LONGEST = WIDER[1:]
"""Adds a column; what the others count stays."""


def sum_of(count: int) -> int:
    """Return the sum that goes with a count: of an entity's first events."""
    return sum(FIRST_WATCH_MS + number for number in range(count))


@dataclass(kw_only=True)
class Sender:
    """Sends an event of each entity again and again (mutable)."""

    case: Case
    began_ms: list[int] = field(default_factory=list)
    """When each round of events began to be sent."""
    stopped: threading.Event = field(default_factory=threading.Event)
    failed: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        """Send until `stopped`."""
        try:
            while not self.stopped.wait(0.2):
                self.once()
        except BaseException as error:  # the test must see it
            self.failed.append(error)
            raise

    def once(self) -> None:
        """Send the next event of each entity."""
        now_ms, watch_ms = SystemClock().now_ms(), FIRST_WATCH_MS + len(self.began_ms)
        self.began_ms.append(now_ms)
        self.case.reorder(
            RawEvent(
                value=json.dumps(
                    {"user_id": int(entity), "action": "view", "watch_ms": watch_ms, "at": now_ms}
                ).encode(),
                timestamp_ms=now_ms,
                partition=int(entity) % PARTITIONS,
                offset=0,
            )
            for entity in ENTITIES
        )
        self.case.send(1)


@pytest.fixture(name="case")
def _case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    name = drawn_name("served")
    with open_case(project(files_of(name)), submitter, name) as made:
        yield made


def test_every_answer_is_a_state_that_the_entity_had(case: Case, tmp_path: Path) -> None:
    """None is torn, none goes back behind what was settled, none knows what was not sent."""
    sender = Sender(case=case)
    for _ in range(5):
        sender.once()
    case.wait()
    settled = len(sender.began_ms)
    sending = threading.Thread(target=sender.run)
    reader = _reader(case, tmp_path)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        sending.start()
        _trouble(case)
        sender.stopped.set()
        sending.join()
        case.wait()
        SystemClock().sleep_s(SETTLED_S)
        (tmp_path / "end").touch()
        assert reader.wait(60) == 0
    finally:
        sender.stopped.set()
        reader.kill()
        reader.communicate()
    answers = [Seen(**each) for each in json.loads((tmp_path / "seen.json").read_text())]

    assert sender.failed == []
    assert [wrong for seen in answers for wrong in _problems(seen, sender, settled)] == []
    assert max(max(seen.ages_ms) for seen in answers) <= STALENESS_MS
    last = len(sender.began_ms)
    assert answers[-1].values == [[last, sum_of(last)]] * len(ENTITIES)
    unavailable = sum(None in values for seen in answers for values in seen.values)
    assert unavailable <= len(answers) * len(ENTITIES) / 100
    assert case.differences()[:10] == []


def _trouble(case: Case) -> None:
    """Let the job end with and without its checkpoints, then upgrade it, then go back."""
    case.cancel()
    assert ensure_running(case.world, case.name)
    case.wait()
    case.lose_job()
    assert ensure_running(case.world, case.name)
    case.wait()
    case.deploy(*LONGEST)
    case.wait()
    case.define()
    execute(make_rollback_plan(case.world, case.name), case.world)


def _reader(case: Case, folder: Path) -> "subprocess.Popen[str]":
    store = case.settings.store
    task = Task(
        address=store.contact_points[0],
        keyspace=store.keyspace,
        password=password(case.settings, "service"),
        features=[f"{case.name}.{feature}_lifetime" for feature in ("events", "watch_ms")],
        entities=ENTITIES,
        pause_s=0.05,
        seconds_max=SECONDS_MAX,
        deadline_ms=DEADLINE_MS,
    )
    path = folder / "task.json"
    path.write_text(json.dumps(asdict(task)))
    command = [sys.executable, "-m", "tests.integration.load_reader", str(path)]
    command += [str(folder / "seen.json"), str(folder / "end")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _problems(seen: Seen, sender: Sender, settled: int) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    most = bisect_left(sender.began_ms, seen.ended_ms + 1)
    for entity, (count, total) in zip(ENTITIES, seen.values, strict=True):
        if count is None or total is None:
            continue  # unavailable; how many are is judged elsewhere
        if not settled <= count <= most or total != sum_of(count):
            yield f"{entity} at {seen.began_ms}: {count}, {total}; {settled} to {most} were sent"
