"""A platform that only remembers what it was asked, and the texts of a project."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from feature_platform.checks.result import CheckReport
from feature_platform.checks.run import ENTITIES_MAX, CheckRequest
from feature_platform.engines.spark import Archived
from feature_platform.errors import CallerError, FeaturePlatformError, Problem
from feature_platform.match.report import MatchReport, nothing
from feature_platform.monitor.health import Health
from feature_platform.orchestration.resources import Deployment, Platform
from feature_platform.orchestration.training_sets import SetPlace, SetWish
from feature_platform.plan.snapshot import Snapshot
from feature_platform.pushes.push import Memory, Pushed, PushVerdict
from feature_platform.statistics.judge import StatisticsReport
from feature_platform.statistics.lateness import DayLate
from feature_platform.statistics.usage import FeatureUse
from feature_platform.training import TrainingSet
from feature_platform.training.spine import SpineLike

SOURCE = """\
source: posts
topic: posts
format: json
event_time: ts
columns: {post_id: BIGINT, action: STRING, ts: TIMESTAMP}
"""
GOOD = """\
featureset: engagement
description: How people react to a post.
owner: ranking & feed
entity: post_id
source: posts
sql: |
  SELECT post_id, COUNT(*) AS views
  FROM posts
  GROUP BY post_id
features:
  views: {windows: [30m], lifetime: true}
"""
BROKEN = GOOD.replace("engagement", "reactions").replace("COUNT(*)", "MEDIAN(action)")


@dataclass(slots=True, kw_only=True)
class World:
    """What a fake platform answers, and what it was asked (mutable)."""

    snapshot: Snapshot
    healths: list[Health] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    told: tuple[str, ...] = ()
    """What it tells when it is observed."""
    pushed: Pushed | FeaturePlatformError | None = None
    """What the watched branch's head would change."""
    checked: CheckReport | FeaturePlatformError = field(
        default_factory=lambda: CheckReport(results=())
    )
    judged: StatisticsReport | FeaturePlatformError | None = None
    """The statistics of every list; None: nothing is archived."""
    late: Sequence[DayLate] | Exception | None = None
    """How late the events of every source came; None: nothing is archived."""
    used: Sequence[FeatureUse] | Exception = ()
    """What the names of every feature set cost, and who uses them."""
    matched: MatchReport | FeaturePlatformError | None = None
    """What was found of served values; None: there are none."""
    served: Archived | None = None
    """What the archive of a list holds after a run; None: nothing was logged."""
    made: TrainingSet | None = None
    """The training set that is made."""
    sets: list[tuple[SetWish, SpineLike | None, SetPlace]] = field(default_factory=list)
    """What was asked for."""
    broken: dict[str, Sequence[Problem]] = field(default_factory=dict)
    """The mistakes of files."""
    keeps: Exception | None = None
    """What goes wrong when a verdict is kept."""
    tells_pending: bool = False
    repaired: CheckReport | FeaturePlatformError | None = None
    """What a repair ends with; None: what it was given."""

    @property
    def resource(self) -> Platform:
        """The platform to hand to Dagster, which copies it."""
        WORLDS[id(self)] = self
        return _FakePlatform(project=str(id(self)))


WORLDS: dict[int, World] = {}


class _FakePlatform(Platform):
    def deploy(self, name: str, log: Callable[[str], None], *, commit: str = "") -> Deployment:
        return self._answer(f"deploy {commit}".strip(), name, log)

    def restart(self, name: str, log: Callable[[str], None]) -> Deployment:
        return self._answer("restart", name, log)

    def deployed(self, name: str) -> Deployment:
        return self._answer("deployed", name, lambda _: None)

    def archive(self, name: str, log: Callable[[str], None]) -> Archived:
        WORLDS[int(self.project)].calls.append(("archive", name))
        log(f"archive {name}")
        return Archived(
            source=name, records=10, files=2, bytes=99, positions={f"{name}/0": 10}, added=3
        )

    def archive_feature_log(self, name: str, log: Callable[[str], None]) -> Archived | None:
        world = WORLDS[int(self.project)]
        world.calls.append(("archive what was served", name))
        log(f"archive {name}")
        return world.served

    def training_set(
        self, wish: SetWish, rows: SpineLike | None, place: SetPlace, log: Callable[[str], None]
    ) -> TrainingSet:
        world = WORLDS[int(self.project)]
        world.calls.append(("training set", wish.of))
        world.sets.append((wish, rows, place))
        log(f"training set {wish.of}")
        assert world.made is not None
        return world.made

    def statistics(self, name: str, log: Callable[[str], None]) -> StatisticsReport | None:
        world = WORLDS[int(self.project)]
        world.calls.append(("statistics", name))
        log(f"statistics {name}")
        if isinstance(world.judged, FeaturePlatformError):
            raise world.judged
        return world.judged

    def event_statistics(self, name: str, log: Callable[[str], None]) -> StatisticsReport | None:
        return self.statistics(name, log)

    def late_events(self, name: str, log: Callable[[str], None]) -> Sequence[DayLate]:
        world = WORLDS[int(self.project)]
        world.calls.append(("late events", name))
        log(f"late events {name}")
        if isinstance(world.late, Exception):
            raise world.late
        if world.late is None:
            msg = f"nothing of source {name} is archived"
            raise CallerError(msg)
        return world.late

    def usage(self, name: str, log: Callable[[str], None]) -> Sequence[FeatureUse]:
        world = WORLDS[int(self.project)]
        world.calls.append(("usage", name))
        log(f"usage {name}")
        if isinstance(world.used, Exception):
            raise world.used
        return world.used

    def match(self, name: str, log: Callable[[str], None]) -> MatchReport:
        world = WORLDS[int(self.project)]
        world.calls.append(("match", name))
        log(f"match {name}")
        if isinstance(world.matched, FeaturePlatformError):
            raise world.matched
        return world.matched or nothing(name, "no row was served")

    def pushed(self, memory: Memory) -> Pushed | None:
        WORLDS[int(self.project)].calls.append(("pushed", memory.commit))
        answer = WORLDS[int(self.project)].pushed
        if isinstance(answer, FeaturePlatformError):
            raise answer
        return answer

    def keep_verdict(self, verdict: PushVerdict | None, trouble: str) -> None:
        world = WORLDS[int(self.project)]
        world.calls.append(("keep", verdict.state if verdict else trouble))
        if world.keeps:
            raise world.keeps

    def tells_pending(self) -> bool:
        return WORLDS[int(self.project)].tells_pending

    def broken(self) -> Mapping[str, Sequence[Problem]]:
        return WORLDS[int(self.project)].broken

    def announce(self, commit: str, state: str, text: str, log: Callable[[str], None]) -> None:
        WORLDS[int(self.project)].calls.append((f"announce {state}", commit))
        log(text)

    def check(self, name: str, ask: CheckRequest, log: Callable[[str], None]) -> CheckReport:
        world = WORLDS[int(self.project)]
        how = "check whole log" if ask.whole_log else "check"
        if ask.entities_max != ENTITIES_MAX:
            how = f"check {ask.entities_max}"
        world.calls.append((how, self._days(name, ask)))
        log(f"check {name}")
        if isinstance(world.checked, FeaturePlatformError):
            raise world.checked
        return world.checked

    def repair(
        self, name: str, ask: CheckRequest, found: CheckReport, log: Callable[[str], None]
    ) -> CheckReport:
        world = WORLDS[int(self.project)]
        world.calls.append(("repair", self._days(name, ask)))
        log(f"repair {name}")
        if isinstance(world.repaired, FeaturePlatformError):
            raise world.repaired
        return world.repaired or found

    @staticmethod
    def _days(name: str, ask: CheckRequest) -> str:
        return f"{name} {' '.join(ask.days)}".strip()

    def observe(self, log: Callable[[str], None]) -> list[Health]:
        for text in WORLDS[int(self.project)].told:
            log(text)
        return WORLDS[int(self.project)].healths

    def drop_old_tables(self, log: Callable[[str], None]) -> None:
        WORLDS[int(self.project)].calls.append(("drop", ""))
        log("engagement: an old table was dropped")

    def _answer(self, call: str, name: str, log: Callable[[str], None]) -> Deployment:
        world = WORLDS[int(self.project)]
        world.calls.append((call, name))
        log(f"{call} {name}")
        return Deployment(
            plan="engagement: new feature set",
            snapshot=world.snapshot,
            attempt=3,
            flink_url="http://127.0.0.1:8081",
        )
