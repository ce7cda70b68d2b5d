"""One feature set on the real servers, whose rows must equal the recount of what was sent."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.recover import ensure_running
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.registry.base import Epoch
from feature_platform.rows.undo import undo_key
from feature_platform.settings import Settings
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from tests.integration.judge import deploy, differences, load, produce, short_grace
from tests.integration.waiting import until

EVENTS = 4_000
ENTITIES = 150
SEED = 44
TRIES, LOOK_S, FLUSHED_S = 6, 0.1, 1.7

SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
columns: {{user_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""

DEFINITION = """
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
        """Send the next events, as many as a share of all."""
        upto = min(len(self.events), self.sent + round(len(self.events) * share))
        produce(self.settings, self.name, self.events[self.sent : upto])
        self.sent = upto

    def reorder(self, order: Iterable[RawEvent]) -> None:
        """Give what is not sent yet another order, or other partitions."""
        offsets = Counter(event.partition for event in self.events[: self.sent])
        del self.events[self.sent :]
        for event in order:
            self.events.append(replace(event, offset=offsets[event.partition]))
            offsets[event.partition] += 1

    def define(self, *edits: tuple[str, str]) -> None:
        """Write the definition, with some texts replaced."""
        text = DEFINITION
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = self.settings.featuresets / f"{self.name}.yaml"
        path.write_text(text.format(name=self.name))

    def deploy(self, *edits: tuple[str, str]) -> None:
        """Deploy the definition, with some texts replaced."""
        self.define(*edits)
        deploy(self.world, self.settings, self.name)

    def lose_job(self) -> None:
        """Let the job end as if it had been killed, and its checkpoints be gone."""
        shutil.rmtree(self.cancel())

    def lose_job_between_cuts(self, share: float) -> None:
        """Send events, and let the job end when it has written rows that no cut holds."""
        for _ in range(TRIES):
            self.wait_for_a_cut()
            self.send(share)
            time.sleep(FLUSHED_S)
            self.lose_job()
            if self._is_beyond_its_cut():
                return
            assert ensure_running(self.world, self.name)
        msg = f"a cut held all that was written, {TRIES} times"
        raise AssertionError(msg)

    def wait_for_a_cut(self) -> None:
        """Return just after one: it takes a checkpoint interval until the next."""
        before = self._newest_cut()
        until(lambda: self._newest_cut() != before, f"a cut after {before}", every_s=LOOK_S)

    def _newest_cut(self) -> Epoch:
        return next(iter(self.world.registry.cuts(self.name, 1))).epoch

    def _is_beyond_its_cut(self) -> bool:
        """Tell whether an undo row is younger than the newest cut."""
        snapshot = self.world.registry.snapshot(self.name)
        assert snapshot is not None
        newest = self._newest_cut()
        undo = (row for page in self.world.tiles.undo_pages(snapshot.table) for row in page.rows)
        flushes = (undo_key(row.start) for row in undo)
        return any((flush.attempt, flush.checkpoint_id) > newest for flush in flushes)

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


def drawn_name(prefix: str) -> str:
    """Return a name that no other test has."""
    return f"{prefix}_{uuid4().hex[:6]}"


def files_of(name: str) -> dict[str, str]:
    """Return the files of a project with one source and one feature set."""
    return {
        f"featuresets/sources/{name}.yaml": SOURCE.format(name=name),
        f"featuresets/{name}.yaml": DEFINITION.format(name=name),
    }


@contextmanager
def open_case(
    settings: Settings, submitter: Submitter, name: str, *edits: tuple[str, str]
) -> Iterator[Case]:
    """Deploy it with a third of its events counted; its job is cancelled at the end."""
    settings = short_grace(settings)
    mix = Mix(
        count=EVENTS, entities=ENTITIES, end_ms=SystemClock().now_ms(), span_ms=7_200_000, bad=0.002
    )
    events = list(generate_events(load(settings).sources[name], "user_id", mix, seed=SEED))
    ensure_topic(settings.kafka, name, clock="producers")
    with open_world(settings, submitter) as world:
        made = Case(settings=settings, world=world, name=name, events=events)
        made.deploy(*edits)
        made.send(1 / 3)
        made.wait()
        yield made
        world.cluster.cancel(made.job_id)
