"""What being exact costs: the gap of an upgrade, the way back from the store, undo, long runs.

Four phases on servers that stay up; rows are checked against a recount after each. Writes a table
to `bench/results/<date>-recovery.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import numpy as np
import psutil

from bench.rig import (
    HERE,
    NAME,
    PATIENCE_S,
    TOPIC,
    deploy,
    goal,
    say,
    stack,
    with_new_column,
    wrong,
)
from bench.workload import ENTITIES, Workload, producer, send_backlog, send_batch, send_live
from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.control import deployed_snapshot, stop
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_recover_plan
from feature_platform.deploy.wait import wait
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.world import World, open_world
from feature_platform.registry.base import Cut
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings
from feature_platform.testing.submitter import EditedSubmitter

LIVE_RATE = 5_000
LIVE_S = 90
CALM_S = 15.0
LOOK_S = 0.05
HOTTEST = "1"
BACKLOG_RATE = 40_000
UPGRADE_S_AIM = 15
STORE_AIM = 10_000
UNDO_PERCENT_AIM = 80
TIRED_PERCENT_AIM = 95
CONDITIONS = """
{cores} cores for all servers and the producer, {memory} GiB.
One slot, 200,000 entities, 5 counters.
Upgrade: a column is added while {rate:,} events/s flow; the gap is the longest time in which the \
served count of the most frequent entity stood still, a flush of 1 s included.
Store: the job was cancelled and its checkpoints deleted; one event for each entity had to be \
counted, so each was read back; timed from the claim of the attempt to the cut that holds all.
Undo: the same backlog with and without undo rows.
Tiredness: one run of a job without state; it had counted an event of each of {entities:,} \
entities when {tired:,} more followed, spread evenly over them, of which tenths are compared.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    unit: str


def without_undo(spec: JobSpec) -> JobSpec:
    """Let a job write no undo rows: what it writes is not exact after a failure."""
    return replace(spec, bench_without_undo=True)


class Stillness:
    """Looks at one served count again and again; knows the longest time that it stood still."""

    def __init__(self, settings: Settings) -> None:
        """Begin to look when `looking` is entered."""
        self._settings = settings
        self._ended = threading.Event()
        self.longest_s = 0.0

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _look(self) -> None:
        with open_client(self._settings) as client:
            prepared = client.prepare(["views_lifetime"], featureset=NAME)
            before, since = -1.0, time.monotonic()
            while not self._ended.wait(LOOK_S):
                count = float(prepared.get([HOTTEST]).values[0, 0])
                if count != before:
                    before, since = count, time.monotonic()
                self.longest_s = max(self.longest_s, time.monotonic() - since)


class Bench:
    """The phases, on servers that stay up."""

    def __init__(self, settings: Settings, world: World, workload: Workload) -> None:
        """Create the topic."""
        self._settings, self._world, self._workload = settings, world, workload
        self._client = producer(settings.kafka.bootstrap)
        self.wrong = 0
        """Entities that differed from the recount, over all comparisons."""
        ensure_topic(settings.kafka, TOPIC)

    def fill(self) -> None:
        """Let the job hold state of every entity."""
        say(f"one event for each of {ENTITIES:,} entities, and as many more")
        self._send_everyone()
        self._backlog(ENTITIES)
        deploy(self._settings, self._world)
        self._counted()

    def upgrade(self) -> list[Figure]:
        """Add a column under load."""
        say(f"an upgrade while {LIVE_RATE:,} events/s flow")
        live = threading.Thread(
            target=send_live, args=(self._client, TOPIC, self._workload, LIVE_RATE, LIVE_S)
        )
        live.start()
        time.sleep(CALM_S)
        path = self._settings.featuresets / f"{NAME}.yaml"
        path.write_text(with_new_column(path.read_text()))
        still, started = Stillness(self._settings), time.monotonic()
        with still.looking():
            deploy(self._settings, self._world)
            seconds = time.monotonic() - started
            time.sleep(CALM_S)
        live.join()
        self._counted()
        return [
            Figure(name="upgrade: gap", value=still.longest_s, unit="s"),
            Figure(name="upgrade: fp apply took", value=seconds, unit="s"),
        ]

    def store(self) -> list[Figure]:
        """Start with empty state, and need every entity."""
        say(f"from the store: {ENTITIES:,} entities are read back")
        snapshot = deployed_snapshot(self._world, NAME)
        checkpoint = self._world.cluster.retained_checkpoint(snapshot.job_id)
        self._world.cluster.cancel(snapshot.job_id)
        shutil.rmtree(unquote(urlsplit(checkpoint).path))
        self._send_everyone()
        execute(make_recover_plan(self._world, NAME, "store"), self._world)
        seconds = self._seconds(self._counted())
        rate = ENTITIES / seconds
        return [Figure(name="store: entities read back, counted, written", value=rate, unit="/s")]

    def undo(self, events: int) -> list[Figure]:
        """Drain the same backlog with and without undo rows."""
        rates = {}
        for undo in (True, False):
            say(f"a backlog of {events:,} events {'with' if undo else 'without'} undo")
            stop(self._world, NAME)
            self._backlog(events)
            submitter = self._world.submitter
            if not undo:
                submitter = EditedSubmitter(submitter, without_undo)
            deploy(self._settings, replace(self._world, submitter=submitter))
            rates[undo] = events / self._seconds(self._counted())
        return [
            Figure(name="backlog with undo", value=rates[True], unit="events/s"),
            Figure(name="backlog without undo", value=rates[False], unit="events/s"),
            Figure(name="undo: rate kept", value=100 * rates[True] / rates[False], unit="%"),
        ]

    def tired(self, events: int) -> list[Figure]:
        """Compare the rate at the end of a long run with that at its beginning.

        It begins when every entity has a row: what the store and RocksDB have to compact is then
        what they always have.
        """
        entities = self._workload.entities
        say(f"one event for each of {entities:,} entities, then {events:,} events of the same ones")
        path = self._settings.featuresets / f"{NAME}.yaml"
        path.write_text(
            path.read_text().replace("checkpoint_interval: 30s", "checkpoint_interval: 15s")
        )
        self._send_everyone()
        self._backlog(events)
        deploy(self._settings, self._world)
        self._counted()
        first, last = tenths(self._progress(), entities, events)
        return [
            Figure(name="tiredness: first tenth", value=first, unit="events/s"),
            Figure(name="tiredness: last tenth", value=last, unit="events/s"),
            Figure(name="tiredness: last of first", value=100 * last / first, unit="%"),
        ]

    def _progress(self) -> list[tuple[float, int]]:
        """Return seconds from its claim, and events counted, at each cut of the newest attempt."""
        snapshot = deployed_snapshot(self._world, NAME)
        attempt = self._world.registry.attempts(NAME, snapshot.generation)[-1]
        cuts = self._world.registry.cuts(NAME, snapshot.generation)
        counted = [
            ((cut.recorded_ms - attempt.claimed_ms) / 1000, sum(cut.positions.values()))
            for cut in cuts
            if cut.attempt == attempt.attempt
        ]
        return [(0.0, 0), *reversed(counted)]

    def _counted(self) -> Cut:
        cut = wait(self._world, NAME, timeout_s=PATIENCE_S)
        self.wrong += wrong(self._settings, self._workload)
        return cut

    def _seconds(self, cut: Cut) -> float:
        return (cut.recorded_ms - self._claimed_ms()) / 1000

    def _claimed_ms(self) -> int:
        snapshot = deployed_snapshot(self._world, NAME)
        return self._world.registry.attempts(NAME, snapshot.generation)[-1].claimed_ms

    def _backlog(self, events: int) -> None:
        now_ms = SystemClock().now_ms()
        send_backlog(self._client, TOPIC, self._workload, events, rate=BACKLOG_RATE, now_ms=now_ms)

    def _send_everyone(self) -> None:
        """Send one event for each entity."""
        batch = self._workload.draw_everyone()
        times = np.full(len(batch.posts), SystemClock().now_ms(), dtype=np.int64)
        send_batch(self._client, TOPIC, batch, times)


def tenths(progress: Sequence[tuple[float, int]], warm: int, events: int) -> tuple[float, float]:
    """Return events per second in the first and in the last tenth, between the cuts around them.

    Args:
        progress: Seconds and events counted, ascending.
        warm: Events before the first tenth.
        events: How many there were after those.
    """
    seconds, counted = (
        np.array(column, dtype=np.float64) for column in zip(*progress, strict=True)
    )
    tenth = events / 10
    at = np.interp([warm, warm + tenth, warm + 9 * tenth, warm + events], counted, seconds)
    return float(tenth / (at[1] - at[0])), float(tenth / (at[3] - at[2]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=2_000_000, help="events of the undo phase")
    parser.add_argument("--tired", type=int, default=6_000_000, help="events of the long run")
    parser.add_argument("--tired-entities", type=int, default=5_000_000, help="its entities")
    options = parser.parse_args()
    figures: list[Figure] = []
    with stack() as settings, open_world(settings) as world:
        bench = Bench(settings, world, Workload(seed=1))
        bench.fill()
        figures += [*bench.upgrade(), *bench.store(), *bench.undo(options.backlog)]
        differ = bench.wrong
    even = Workload(seed=2, entities=options.tired_entities, exponent=0.0)
    with stack() as settings, open_world(settings) as world:
        bench = Bench(settings, world, even)
        figures += bench.tired(options.tired)
        differ += bench.wrong
    _report(figures, options.tired, options.tired_entities, differ)


def _report(figures: Sequence[Figure], tired: int, entities: int, differ: int) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    conditions = CONDITIONS.format(
        cores=psutil.cpu_count(),
        memory=psutil.virtual_memory().total // 2**30,
        rate=LIVE_RATE,
        tired=tired,
        entities=entities,
    )
    rows = [f"| {item.name} | {item.value:,.1f} {item.unit} |" for item in figures]
    text = "\n".join([f"# Recovery benchmark, {date}", conditions, "| | |", "|---|---|", *rows, ""])
    (HERE / "results" / f"{date}-recovery.md").write_text(text)
    print(text)
    values = {item.name: item.value for item in figures}
    goals = [
        goal(
            "seconds an upgrade stands still", values["upgrade: gap"], UPGRADE_S_AIM, at_most=True
        ),
        goal(
            "entities/s from the store",
            values["store: entities read back, counted, written"],
            STORE_AIM,
        ),
        goal("rate kept with undo, percent", values["undo: rate kept"], UNDO_PERCENT_AIM),
        goal("last tenth of first, percent", values["tiredness: last of first"], TIRED_PERCENT_AIM),
        goal("rows wrong", differ, 0, at_most=True),
    ]
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
