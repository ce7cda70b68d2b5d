"""The demo's story: deploy, replay a year, upgrade meanwhile, days of the present, a verdict."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from feature_platform.broker.sender import EventSender
from feature_platform.broker.topics import TopicClient
from feature_platform.clock import to_iso
from feature_platform.definition.loading import Project, load_project
from feature_platform.demo.background import Background
from feature_platform.demo.flights import read_flights
from feature_platform.demo.recount import Comparison, Task, compare, recount_all
from feature_platform.demo.replay import Replay
from feature_platform.demo.scratch import (
    FEATURE_SETS,
    NEW_FEATURE,
    SOURCE,
    UPGRADED,
    add_column,
    copy_definitions,
)
from feature_platform.demo.screen import Picture, Screen
from feature_platform.demo.served import Served
from feature_platform.demo.stage import clear_stage, end_jobs, patiently
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.wait import wait
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError
from feature_platform.monitor.status import statuses
from feature_platform.plan.explain import explain
from feature_platform.plan.job import dead_letter_topic
from feature_platform.plan.planner import Plan
from feature_platform.registry.base import Positions
from feature_platform.settings import Settings
from feature_platform.testing.clock import ManualClock

UPGRADE_AT = 0.35
"""Share of the flights after which the definition is changed."""

REFRESH_S = 1.0
WAIT_TIMEOUT_S = 900.0


@dataclass(slots=True, kw_only=True)
class Story:
    """One run of the demo (mutable: it continues)."""

    settings: Settings
    world: World
    served: Served
    screen: Screen
    flights_max: int | None = None
    """How many flights, the last ones; None for all."""
    _folder: Path = field(init=False)
    replay: Replay | None = field(default=None, init=False)

    def prepare(self) -> None:
        """Clear the stage, deploy the feature sets, read the flights."""
        self._folder = copy_definitions(self.settings)
        project = load_project(self._folder).checked()
        source = project.sources[SOURCE]
        flights = read_flights()[-(self.flights_max or 0) :]
        clear_stage(self.world, source.topic, self.screen.say)
        for name in FEATURE_SETS:
            self.screen.say(f"deploying {name} of {self._folder}")
            patiently(partial(self._deploy, project, name), self.screen.say)
        sender = EventSender(self.settings.kafka, source.topic)
        self.replay = Replay(flights, sender, source.event_time, self.world.clock)
        self.screen.say(f"{len(flights):,} flights of 2013, shifted so that the last one is now")

    def play(self, seconds: float) -> None:
        """Replay the flights, and change a definition while they flow.

        Raises:
            WorldError: A server stopped answering, or the changed job failed.
        """
        replay = self._prepared()
        replay.start(seconds)
        upgrade: Background | None = None
        while not replay.ended:
            self._show()
            if upgrade is None and replay.done > UPGRADE_AT * replay.total:
                upgrade = Background(self._upgrade)
            if upgrade is not None and upgrade.is_done():
                replay.release()
            time.sleep(REFRESH_S)
        self._raise_failure()

    def live(self, seconds: float | None) -> None:
        """Send flights that happen now: windows move; without `seconds` until interrupted.

        Raises:
            WorldError: A server stopped answering.
        """
        replay = self._prepared()
        self.screen.say(
            "every flight from here on happens now, a day of them a minute: "
            "watch the windows of 30 minutes and 2 hours grow"
        )
        replay.start_live(seconds)
        self._show_until(lambda: replay.ended)
        self._raise_failure()

    def judge(self) -> list[Comparison]:
        """Wait until everything is written, then compare served numbers with recomputed ones.

        Raises:
            WorldError: A server stopped answering.
        """
        self.screen.say("waiting until every event is counted and written")
        self._show_until(Background(self._await_all).is_done)
        self._show()
        now = ManualClock(self.world.clock.now_ms())
        self.screen.say(f"recomputing everything from the raw events, as of {to_iso(now.now_ms())}")
        # The one with most entities takes longest, so it goes first.
        tasks = [self._task(name, now) for name in reversed(FEATURE_SETS)]
        topic = dead_letter_topic(tasks[0].featureset.source.topic)
        letters = TopicClient(self.settings.kafka).dead_letters(topic)
        verdicts = []
        for task, expected in zip(tasks, recount_all(self.settings.kafka, tasks), strict=True):
            name = task.featureset.name
            served = self.served.everything(name, list(expected.values), now)
            verdict = compare(name, expected, served, letters.get(name, Counter()).total())
            self.screen.say(f"{name}: {verdict.values:,} values, {len(verdict.wrong):,} wrong")
            verdicts.append(verdict)
        return verdicts

    def end(self) -> None:
        """Send nothing more, and end the jobs; what is stored stays.

        Raises:
            WorldError: A server does not answer.
        """
        if self.replay:
            self.replay.stop()
        end_jobs(self.world)

    def _await_all(self) -> None:
        for name in FEATURE_SETS:
            wait(self.world, name, timeout_s=WAIT_TIMEOUT_S)

    def _prepared(self) -> Replay:
        if self.replay is None:
            msg = "the story is played before it was prepared"
            raise RuntimeError(msg)
        return self.replay

    def _show_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._show()
            time.sleep(REFRESH_S)

    def _raise_failure(self) -> None:
        failure = self._prepared().failure
        if failure:
            raise failure

    def _upgrade(self) -> None:
        path = add_column(self._folder)
        self.screen.say(f"changing {path}: adding {NEW_FEATURE}, while events flow")
        plan = self._plan(load_project(self._folder).checked(), UPGRADED)
        self.screen.say(explain(plan))
        self._apply(plan)
        self.screen.say(f"{UPGRADED} was upgraded from its savepoint; its counts continue")

    def _deploy(self, project: Project, name: str) -> None:
        self._apply(self._plan(project, name))

    def _plan(self, project: Project, name: str) -> Plan:
        (plan,) = make_plans(self.world, project, [name])
        return plan

    def _apply(self, plan: Plan) -> None:
        (outcome,) = apply(self.world, [plan])
        if outcome.error:
            raise outcome.error

    def _task(self, name: str, now: ManualClock) -> Task:
        snapshot = self.world.registry.snapshot(name)
        if snapshot is None:
            msg = f"{name} is no longer deployed; it was deleted while the demo was running"
            raise JobFailedError(msg)
        return Task(
            featureset=load_project(self._folder).featuresets[name],
            layout=snapshot.layout,
            now_ms=now.now_ms(),
            since={NEW_FEATURE: self._upgraded_at()} if name == UPGRADED else {},
        )

    def _upgraded_at(self) -> Positions:
        """Return where the upgraded job began: the cut at its savepoint's barrier."""
        registry = self.world.registry
        generation = registry.generations(UPGRADED)[-1].generation
        attempt, checkpoint_id = registry.attempts(UPGRADED, generation)[-1].restore_point
        cut = registry.cut(UPGRADED, generation, attempt, checkpoint_id)
        if cut is None:
            msg = f"{UPGRADED} has no cut at its savepoint {attempt}/{checkpoint_id}"
            raise JobFailedError(msg)
        return cut.positions

    def _show(self) -> None:
        replay = self._prepared()
        day = datetime.fromtimestamp(replay.day_ms / 1000, tz=UTC).strftime("%d %B %Y")
        headline = f"{replay.done:,} of {replay.total:,} flights, at {day}"
        if replay.live_done:
            headline = (
                f"all {replay.total:,} flights of 2013, {replay.live_done:,} more at the present"
            )
        jobs = {
            status.snapshot.featureset: (
                f"{status.job_state.lower()}, {sum(status.lag.values()):,} behind"
            )
            for status in statuses(self.world)
        }
        self.screen.show(Picture(headline=headline, jobs=jobs, features=self.served.looks()))
