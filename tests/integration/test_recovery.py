"""A job whose checkpoints are gone, a rollback, a sweep that is killed: rows equal the recount."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
from judge import deploy, differences, load, produce, short_grace

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import (
    ensure_running,
    make_recover_plan,
    make_rollback_plan,
)
from feature_platform.deploy.wait import wait
from feature_platform.deploy.world import Submitter, Tiles, World, open_world
from feature_platform.errors import PlanRefusedError, StoreUnavailableError
from feature_platform.settings import Settings
from feature_platform.store.base import UndoPage
from feature_platform.store.cql import CqlTiles
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events

EVENTS = 4_000
ENTITIES = 150
SEED = 44

SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
columns: {{user_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""

BEFORE = """
featureset: {name}
description: What is gone back to.
owner: tests
entity: user_id
source: {name}
sql: |
  SELECT user_id,
         COUNT(*)              AS events,
         SUM(watch_ms)         AS watch_ms,
         LAST_N(action, 3)     AS recent
  FROM {name}
  WHERE watch_ms > 100
  GROUP BY user_id
features:
  events:   {{windows: [30m, 2h], lifetime: true}}
  watch_ms: {{windows: [2h], lifetime: true}}
  recent:   latest
settings: {{parallelism: 2, checkpoint_interval: 3s, flush_interval: 1s, keep: 6h}}
"""

WIDER = (
    ("  WHERE watch_ms > 100\n", ""),
    ("  watch_ms: {{", "  longest: {{windows: [2h]}}\n  watch_ms: {{"),
    ("AS watch_ms,", "AS watch_ms,\n         MAX(watch_ms)         AS longest,"),
)
"""Counts events that the old definition does not, so that only a sweep takes them back."""

MakeProject = Callable[[Mapping[str, str]], Settings]


@dataclass
class Case:
    """One feature set on the real servers. Mutable: it counts what it has sent."""

    settings: Settings
    world: World
    name: str
    events: list[RawEvent]
    sent: int = 0

    def send(self, share: float) -> None:
        """Send the next events."""
        upto = min(len(self.events), self.sent + int(len(self.events) * share))
        produce(self.settings, self.name, self.events[self.sent : upto])
        self.sent = upto

    def deploy(self, *edits: tuple[str, str]) -> None:
        """Deploy the definition, with some texts replaced."""
        text = BEFORE
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = self.settings.featuresets / f"{self.name}.yaml"
        path.write_text(text.format(name=self.name))
        deploy(self.world, self.settings, self.name)

    def wait(self) -> None:
        """Wait until everything sent is counted."""
        wait(self.world, self.name)

    def cancel(self) -> Path:
        """Let the job end as if it had been killed; return the folder of its checkpoints."""
        job = self.job_id
        path = self.world.cluster.retained_checkpoint(job)
        self.world.cluster.cancel(job)
        return Path(unquote(urlsplit(path).path)).parent

    @property
    def job_id(self) -> str:
        """Return the deployed job."""
        snapshot = self.world.registry.snapshot(self.name)
        assert snapshot is not None
        return snapshot.job_id

    def differences(self) -> list[object]:
        """Compare everything with the recount by the definition as it stands in its file."""
        snapshot = self.world.registry.snapshot(self.name)
        assert snapshot is not None
        featureset = load(self.settings).featuresets[self.name]
        oracle = Oracle(featureset, snapshot.layout, self.events[: self.sent])
        return list(differences(self.settings, self.world, oracle, self.name))


@pytest.fixture
def case(
    project: MakeProject,
    submitter: Submitter,
) -> Iterator[Case]:
    """A feature set with a third of its events counted; its job is cancelled at the end."""
    name = f"recovery_{uuid4().hex[:6]}"
    settings = project(
        {
            f"featuresets/sources/{name}.yaml": SOURCE.format(name=name),
            f"featuresets/{name}.yaml": BEFORE.format(name=name),
        }
    )
    settings = short_grace(settings)
    mix = Mix(
        count=EVENTS, entities=ENTITIES, end_ms=SystemClock().now_ms(), span_ms=7_200_000, bad=0.002
    )
    events = list(generate_events(load(settings).sources[name], "user_id", mix, seed=SEED))
    ensure_topic(settings.kafka, name)
    with open_world(settings, submitter) as world:
        made = Case(settings=settings, world=world, name=name, events=events)
        made.deploy()
        made.send(1 / 3)
        made.wait()
        yield made
        world.cluster.cancel(made.job_id)


@pytest.mark.timeout(600)
def test_without_a_checkpoint_that_can_be_read_it_goes_on_from_the_store(case: Case) -> None:
    """The sensor's one call does it, and no event is lost or counted twice."""
    # 1. The files are there, with their beginning, but they are cut off.
    folder = case.cancel()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert "_metadata" in [path.name for path in files]
    for path in files:
        kept = -40 if path.name == "_metadata" else 10
        path.write_bytes(path.read_bytes()[:kept])
    assert ensure_running(case.world, case.name) is True
    case.send(1 / 3)
    assert case.differences()[:10] == []
    # 2. There are none, and some events are being counted.
    case.send(1 / 6)
    shutil.rmtree(case.cancel())
    assert ensure_running(case.world, case.name) is True
    case.send(1)
    assert case.differences()[:10] == []
    starts = [attempt.base_label for attempt in case.world.registry.attempts(case.name, 1)]
    assert starts[1:] == [0, 0]


@pytest.mark.timeout(600)
def test_after_the_undo_time_a_person_is_asked(case: Case) -> None:
    """It says since when, and goes on once the person has accepted."""
    shutil.rmtree(case.cancel())
    undo_ttl_ms = 1_000
    time.sleep(undo_ttl_ms / 1000)
    store = case.settings.store.model_copy(update={"undo_ttl_ms": undo_ttl_ms})
    late = replace(case.world, settings=case.settings.model_copy(update={"store": store}))
    with pytest.raises(PlanRefusedError, match=r"its rows may be wrong\. Since .*--accept-age"):
        make_recover_plan(late, case.name, "store")
    execute(make_recover_plan(late, case.name, "store", accept_age=True), late)
    case.send(1)
    case.wait()
    assert case.world.registry.attempts(case.name, 1)[-1].r_attempt == 1


class Dying(CqlTiles):
    """Real rows; the sweeping process dies after some of them."""

    def __init__(self, tiles: Tiles, writes: int) -> None:
        """Share everything with the real ones."""
        vars(self).update(vars(tiles))
        self._left = writes

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Die in the middle of the table."""
        for page in super().undo_pages(table):
            self._left -= len(page.rows)
            if self._left < 0:
                msg = "the process is killed"
                raise StoreUnavailableError(msg)
            yield page


@pytest.mark.timeout(900)
@pytest.mark.parametrize("killed", [False, True])
def test_a_rollback_leaves_no_trace(case: Case, *, killed: bool) -> None:
    """Rows are as if the old definition had counted everything; also if the sweep was killed."""
    case.send(1 / 6)
    case.deploy(*WIDER)
    case.send(1 / 3)
    case.wait()
    (case.settings.featuresets / f"{case.name}.yaml").write_text(BEFORE.format(name=case.name))
    if killed:
        dying = replace(case.world, tiles=Dying(case.world.tiles, 60))
        with pytest.raises(StoreUnavailableError, match="killed"):
            execute(make_rollback_plan(dying, case.name), dying)
        _let_lease_run_out(case)
        case.send(1 / 12)
    execute(make_rollback_plan(case.world, case.name), case.world)
    case.send(1)
    assert case.differences()[:10] == []
    snapshot = case.world.registry.snapshot(case.name)
    assert snapshot is not None
    assert "longest" not in [feature.name for feature in snapshot.features]
    sweeps = [a for a in case.world.registry.attempts(case.name, 1) if a.kind == "sweep"]
    assert len(sweeps) == 1


def _let_lease_run_out(case: Case) -> None:
    """Take the dead process's lease from it, instead of a minute's wait."""
    lease = case.world.registry.lease(case.name)
    assert lease is not None
    case.world.registry.release_lease(case.name, lease.holder)
