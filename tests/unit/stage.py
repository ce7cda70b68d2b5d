"""A world in memory: the shipped fakes, and a cluster that a test can make fail."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from feature_platform.definition.loading import Project, load_project
from feature_platform.deploy.apply import Outcome, apply, make_plans
from feature_platform.engines.flink import Checkpoint, FlinkJob, StateBackend
from feature_platform.engines.flink_metrics import How
from feature_platform.engines.flink_savepoint import STATEFUL_UIDS, operator_id
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.spark_request import TilesTask
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, SparkFailedError
from feature_platform.plan.job_source import JobSource
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import load_settings
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing.clock import ManualClock

SOURCE = """\
source: post_events
topic: post_events
format: json
event_time: ts
columns: {post_id: BIGINT, action: STRING, watch_ms: BIGINT, ts: TIMESTAMP}
"""

POSTS = """\
featureset: posts
entity: post_id
source: post_events
sql: |
  SELECT post_id, COUNT(*) FILTER (WHERE action = 'view') AS views
  FROM post_events
  GROUP BY post_id
features:
  views: {windows: [2h], lifetime: true, description: Seen.}
"""

EDIT = ("action = 'view'", "action = 'play'")
NOW_MS = 1_700_000_000_000


@dataclass
class FakeFlink:
    """A cluster whose jobs do nothing. Mutable: a test sets what goes wrong."""

    folder: Path
    known: dict[str, FlinkJob] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    specs: list[JobSpec] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    prepared: list[JobSpec] = field(default_factory=list)
    """Specs whose graphs were built and not submitted."""
    unbuildable: bool = False
    """Flink refuses every graph."""
    broken_sql: str = ""
    """Jobs with this text in their SQL fail again and again."""
    restore_fails: bool = False
    """Broken jobs fail because they cannot read what they are to go on from."""
    refused: bool = False
    """Submissions are refused."""
    unstoppable: bool = False
    uids: Sequence[str] = STATEFUL_UIDS
    on_submit: Callable[[], None] = lambda: None
    now_ms: Callable[[], int] = lambda: 1
    causes: dict[str, str] = field(default_factory=dict)
    """Why jobs failed."""
    told: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    """Metrics by job and operator."""

    def prepare(self, spec: JobSpec) -> None:
        """Build a graph."""
        if self.unbuildable:
            msg = "Flink refused the job: no such function"
            raise JobFailedError(msg)
        self.prepared.append(spec)

    def submit(self, spec: JobSpec, job_id: str, restore_path: str) -> None:
        """Start a job."""
        if self.refused:
            msg = "Flink refused the job"
            raise JobFailedError(msg)
        self.specs.append(spec)
        self.restored.append(restore_path)
        self.known[job_id] = FlinkJob(
            id=job_id, name=spec.name, state="RUNNING", started_ms=len(self.specs)
        )
        self.on_submit()

    def jobs(self) -> list[FlinkJob]:
        """Return all jobs."""
        return sorted(self.known.values(), key=lambda job: -job.started_ms)

    def job(self, job_id: str) -> FlinkJob | None:
        """Return a job."""
        return self.known.get(job_id)

    @property
    def running(self) -> list[str]:
        """Ids of the jobs that run."""
        return [job.id for job in self.jobs() if job.lives]

    def last_checkpoint(self, job_id: str) -> Checkpoint | None:
        """Return what `trigger_checkpoint` or a stop made."""
        return self.checkpoints.get(job_id)

    def retained_checkpoint(self, job_id: str) -> str:
        """Return the last one's path."""
        found = self.checkpoints.get(job_id)
        return found.path if found else ""

    def kept_checkpoints(self, job_id: str) -> list[str]:
        """Return the last one's path."""
        return [path] if (path := self.retained_checkpoint(job_id)) else []

    def state_backend(self, job_id: str) -> StateBackend | None:  # noqa: ARG002 (a port)
        """Return what Flink keeps state in unless told otherwise."""
        return "rocksdb"

    def restarts(self, job_id: str) -> int:
        """Count restarts of a broken job."""
        return 9 if self._broken(job_id) else 0

    def root_exception(self, job_id: str) -> str:
        """Name the cause."""
        boom = "java.lang.IllegalStateException: boom" if self._broken(job_id) else ""
        return self.causes.get(job_id, boom)

    def failed_to_restore(self, job_id: str) -> bool:
        """Tell whether a broken job is one that cannot restore."""
        return self.restore_fails and self._broken(job_id)

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Return what a test has set."""
        told = self.told.get((job_id, vertex), {})
        return {name: value for name, value in told.items() if name in metrics}

    def trigger_checkpoint(self, job_id: str) -> None:
        """Complete a checkpoint at once, unless the job is broken."""
        if not self._broken(job_id):
            self._complete(job_id, is_savepoint=False)

    def stop_with_savepoint(self, job_id: str) -> str:
        """Stop a job."""
        if self.unstoppable:
            msg = f"the savepoint of job {job_id} failed: no disk; the job goes on"
            raise JobFailedError(msg)
        self.known[job_id] = replace(self.known[job_id], state="FINISHED")
        return self._complete(job_id, is_savepoint=True)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        if job_id in self.known and self.known[job_id].lives:
            self.known[job_id] = replace(self.known[job_id], state="CANCELED")

    def discard(self, path: str) -> str:
        """Forget a checkpoint."""
        self.discarded.append(path)
        return ""

    def fail(self, job_id: str) -> None:
        """Let a job die."""
        self.known[job_id] = replace(self.known[job_id], state="FAILED")

    def _broken(self, job_id: str) -> bool:
        sql = next((spec.job.sql for spec in self.specs if spec.deployment == job_id), "")
        return bool(self.broken_sql) and self.broken_sql in sql

    def _complete(self, job_id: str, *, is_savepoint: bool) -> str:
        number = len(self.checkpoints) + 1
        path = self.folder / f"{'savepoint' if is_savepoint else 'chk'}-{number}"
        path.mkdir(exist_ok=True)
        head = struct.pack(">iiq", 0x4960672D, 4, number)
        (path / "_metadata").write_bytes(head + b"".join(map(operator_id, self.uids)))
        self.checkpoints[job_id] = Checkpoint(
            id=number,
            completed_ms=self.now_ms(),
            bytes=1,
            path=path.as_uri(),
            is_savepoint=is_savepoint,
        )
        return path.as_uri()


@dataclass
class FakeTopics:
    """Topics that hold what a test says."""

    ends: dict[str, int] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    markers: int = 0
    """Of transactions, at the end of each partition."""
    by_producers: tuple[str, ...] = ()
    """Topics that are stamped by their producers' clocks."""
    id: str = "first"
    """Of every topic; empty from a broker that gives none."""

    def topic_id(self, topic: str) -> str:
        """Return the id that a test has set."""
        assert topic
        return self.id

    def create(self, topics: Sequence[str]) -> Sequence[str]:
        """Note them."""
        self.created += topics
        return [topic for topic in topics if topic in self.by_producers]

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the topic's ends."""
        return {name: end for name, end in self.ends.items() if name.startswith(f"{topic}/")}

    def event_ends(self, topic: str) -> Mapping[str, int]:
        """Return the topic's ends, less the markers that a test says."""
        return {name: end - self.markers for name, end in self.end_offsets(topic).items()}

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Pretend that events came at the millisecond of their offset."""
        ends = self.end_offsets(topic)
        return min(positions.get(name, 0) for name in ends if positions.get(name, 0) < ends[name])

    def offsets_at(self, topic: str, time_ms: int) -> Mapping[str, int]:
        """Pretend that half of the events are older."""
        assert time_ms > 0
        return {name: end // 2 for name, end in self.end_offsets(topic).items()}

    def delete(self, topics: Sequence[str]) -> None:
        """Forget that they were created."""
        self.created = [topic for topic in self.created if topic not in topics]

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return first offsets, 0 where a test says nothing, and ends."""
        return {
            name: (self.begins.get(name, 0), end) for name, end in self.end_offsets(topic).items()
        }


@dataclass
class FakeBackfiller:
    """A backfill that is done at once, or breaks."""

    done: list[TilesTask] = field(default_factory=list)
    breaks: bool = False
    accepted: bool | None = None
    read_by: JobSource | None = None

    def backfill(self, task: TilesTask, report: Callable[[str], None]) -> None:
        """Note what was asked for."""
        self.accepted, self.read_by = task.accept_unreadable, task.read_by
        if self.breaks:
            msg = "feature set posts: Spark ended with exit code 1"
            raise SparkFailedError(msg)
        report("100% written")
        self.done.append(task)


class CrashError(Exception):
    """The process dies here."""


@dataclass
class Stage:
    """All that a test plays with."""

    world: World
    flink: FakeFlink
    topics: FakeTopics
    registry: MemoryRegistry
    tiles: MemoryTiles
    clock: ManualClock
    folder: Path
    backfiller: FakeBackfiller
    crash_before: str = ""
    """The process dies when a stage with this text is told."""
    said: list[str] = field(default_factory=list)

    @property
    def deployed(self) -> Snapshot:
        """What is deployed."""
        found = self.registry.snapshot("posts")
        assert found is not None
        return found

    def define(self, *edits: tuple[str, str]) -> Project:
        """Write and load the definitions with some texts replaced."""
        texts = {"sources/post_events.yaml": SOURCE, "posts.yaml": POSTS}
        for path, text in texts.items():
            changed = text
            for old, new in edits:
                changed = changed.replace(old, new)
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(changed)
        return load_project(self.folder)

    def apply(
        self,
        *edits: tuple[str, str],
        reset: Sequence[str] = (),
        start_empty: bool = False,
        accept_differences: bool = False,
    ) -> Outcome:
        """Apply the definitions with some texts replaced."""
        plans = make_plans(
            self.world,
            self.define(*edits),
            ["posts"],
            reset=reset,
            start_empty=start_empty,
            accept_differences=accept_differences,
        )
        return apply(self.world, plans, self.tell)[0]

    def tell(self, text: str) -> None:
        """Take note of a stage; die if a test wants that before it."""
        if self.crash_before and self.crash_before in text:
            raise CrashError
        self.said.append(text)

    def claim(
        self,
        attempt: int,
        r: Epoch = (0, 0),
        *,
        generation: int = 1,
        **more: Any,  # noqa: ANN401 (fields)
    ) -> None:
        """Let the deployed job claim an attempt, now."""
        made = Attempt(
            attempt=attempt,
            execution=f"x/{attempt}",
            deployment=self.registry.owner("posts", generation),
            kind="stream",
            restore_point=r,
            end_offsets={},
            claimed_ms=self.clock.now_ms(),
        )
        self.registry.add_attempt("posts", generation, replace(made, **more))

    def cut(
        self, attempt: int, checkpoint_id: int, *, generation: int = 1, **positions: int
    ) -> None:
        """Let the job record a complete cut, now; `p0=5` is position 5."""
        written = {f"post_events/{key[1:]}": offset for key, offset in positions.items()}
        cut = Cut(
            attempt=attempt,
            checkpoint_id=checkpoint_id,
            positions=written,
            recorded_ms=self.clock.now_ms(),
        )
        self.registry.record_cut("posts", generation, cut)

    def run_to(self, attempt: int, checkpoint_id: int, **positions: int) -> None:
        """Let the job claim an attempt and record a complete cut; `p0=5` is position 5."""
        self.claim(attempt)
        self.cut(attempt, checkpoint_id, **positions)


def empty_stage(folder: Path) -> Stage:
    """Return an empty world, with its files in a folder."""
    clock = ManualClock(NOW_MS)
    registry, tiles = MemoryRegistry(clock), MemoryTiles(clock)
    flink, topics = FakeFlink(folder, now_ms=clock.now_ms), FakeTopics()
    backfiller = FakeBackfiller()
    nothing: Any = None  # what is recomputed, a test says
    world = World(
        settings=load_settings(folder, {}),
        registry=registry,
        tables=tiles,
        tiles=tiles,
        topics=topics,
        cluster=flink,
        submitter=flink,
        backfiller=backfiller,
        recounter=nothing,
        clock=clock,
        holder="a test",
        poll_s=0.0004,  # too short to be seen in the clock
    )
    return Stage(
        world=world,
        flink=flink,
        topics=topics,
        registry=registry,
        tiles=tiles,
        clock=clock,
        folder=folder / "featuresets",
        backfiller=backfiller,
    )
