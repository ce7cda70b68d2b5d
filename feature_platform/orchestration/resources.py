"""The platform as Dagster's resource: what assets and the sensor call; it connects when used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from feature_platform.checks.last import check_and_note
from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import CheckReport
from feature_platform.checks.run import CheckRequest
from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.loading import Project
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import drop_all_expired
from feature_platform.deploy.lists import (
    ListOutcome,
    apply_lists,
    apply_servable_lists,
    make_list_plans,
)
from feature_platform.deploy.recover import ensure_running
from feature_platform.engines.feature_log import archive_feature_log, is_logged
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark import Archived
from feature_platform.engines.spark import archive as archive_source
from feature_platform.engines.spark_facts import line_of
from feature_platform.engines.world import World, open_world
from feature_platform.errors import GitError, NothingPushedError, Problem, UnknownFeatureError
from feature_platform.local.dagster import reload_definitions
from feature_platform.match.report import MatchReport
from feature_platform.monitor.health import Health
from feature_platform.monitor.observe import observe
from feature_platform.orchestration import reports
from feature_platform.orchestration.pushed import look_at, unreadable
from feature_platform.orchestration.training_sets import SetPlace, SetWish, make_set
from feature_platform.plan.explain import explain
from feature_platform.plan.snapshot import Snapshot
from feature_platform.pushes.commit_status import tell_status
from feature_platform.pushes.git import Repository
from feature_platform.pushes.loading import Loaded, definitions_at, load, repository
from feature_platform.pushes.push import Memory, Pushed, PushVerdict, left_to_do
from feature_platform.pushes.push_record import (
    forget_record,
    write_record,
    write_trouble,
)
from feature_platform.report import silent
from feature_platform.settings import Settings, load_settings
from feature_platform.training import TrainingSet
from feature_platform.training.spine import SpineLike

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.judge import StatisticsReport
    from feature_platform.statistics.lateness import DayLate
    from feature_platform.statistics.usage import FeatureUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What was done, and what is deployed now."""

    plan: str
    """The plan as it was explained and executed."""
    snapshot: Snapshot
    attempt: int
    flink_url: str
    origin: str = ""
    """Where its definition is from; empty for what is started as it was deployed."""


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """One project and the servers behind it."""

    project: str
    """Its folder."""

    def load(self) -> Loaded:
        """Load settings and definitions as they are now."""
        return load(self.project)

    def deploy(self, name: str, log: Callable[[str], None], *, commit: str = "") -> Deployment:
        """Bring a feature set to its definition; return when the job has its first checkpoint.

        Args:
            name: The feature set.
            log: Called with each stage.
            commit: Take the definition as it is at this commit of the watched repository, by its
                id or any name of it; empty: as the page shows it.

        Raises:
            GitError: The watched repository cannot be read, or has no such commit.
        """
        loaded = self._at(commit) if commit else self.load()
        if loaded.trouble:
            raise GitError(loaded.trouble)
        log(f"definition from {loaded.origin}")
        with open_world(loaded.settings) as world:
            (plan,) = make_plans(world, loaded.project, [name])
            text = explain(plan)
            log(text)
            lists = make_list_plans(world, loaded.project, [name])
            early, waiting = apply_servable_lists(world, lists, log)
            execute(plan, world, log)
            _log_refused([*early, *apply_lists(world, waiting, log)], log)
            return replace(_deployment(world, name, text), origin=loaded.origin)

    def store_list(self, name: str, log: Callable[[str], None]) -> FeatureList:
        """Store a feature list as it is defined; return what is stored.

        Raises:
            UnknownFeatureError: It is no longer defined, or does not load any more.
            PlanRefusedError: It may not be stored; says why.
            WorldError: The registry did not answer.
        """
        loaded = self.load()
        wanted = loaded.project.lists.get(name)
        if wanted is None:
            msg = f"feature list {name} is no longer defined, or does not load: fp validate"
            raise UnknownFeatureError(msg)
        with open_world(loaded.settings) as world:
            plans = [each for each in make_list_plans(world, loaded.project) if each.name == name]
            for outcome in apply_lists(world, plans, log):
                if outcome.error:
                    raise outcome.error
        return wanted

    def _at(self, name: str) -> Loaded:
        """Load what was pushed by a commit; a name is looked up once, and its id says which."""
        settings = load_settings(Path(self.project))
        commit = _watched(settings).resolve(name)
        project = definitions_at(settings, commit)
        return Loaded(settings=settings, project=project, origin=f"commit {commit}")

    def deployed(self, name: str) -> Deployment:
        """Return what is deployed, whoever did that.

        Raises:
            UnknownFeatureError: Nothing is, any more.
            WorldError: The registry did not answer.
        """
        with open_world(load_settings(Path(self.project))) as world:
            return _deployment(world, name, "deployed outside of Dagster")

    def restart(self, name: str, log: Callable[[str], None]) -> Deployment:
        """Start a dead job again as it was deployed, whatever its definition says by now."""
        with open_world(load_settings(Path(self.project))) as world:
            started = ensure_running(world, name, log)
            text = "restarted as deployed" if started else "already running"
            return _deployment(world, name, text)

    def pushed(self, memory: Memory) -> Pushed | None:
        """Return the watched branch's head and what it would change; None if all of it is done.

        Raises:
            NothingPushedError: The watched repository has no branch yet.
            GitError: No repository is watched, or it or the branch cannot be read.
            SettingsError: The project's settings are wrong.
            WorldError: A server did not answer.
        """
        settings = load_settings(Path(self.project))
        watched = _watched(settings)
        try:
            head = watched.head(settings.git.branch)
        except NothingPushedError as nothing:
            if not memory.commit:
                raise
            msg = (
                f"branch {settings.git.branch} no longer has commits; the newest was "
                f"{memory.words or memory.commit}: push it again"
            )
            raise GitError(msg) from nothing
        if memory.commit == head.id and memory.done:
            return None
        names = left_to_do(memory, head.id)
        try:
            project = definitions_at(settings, head.id)
        except GitError as error:
            return unreadable(head, str(error))
        with open_world(settings) as world:
            found = look_at(world, head, project, names)
            if all(item.stays for item in found.wanted):  # lists come after feature sets
                refused = store_lists(world, project, silent)
                return replace(found, problems=(*found.problems, *refused))
            return found

    def keep_verdict(self, verdict: PushVerdict | None, trouble: str) -> None:
        """Keep what became of a push where `fp status` finds it, or why nobody could look.

        Without a verdict and without trouble nothing was pushed yet, and nothing is kept.

        Raises:
            SettingsError: The project's settings are wrong.
            OSError: The project's folder of data cannot be written.
        """
        settings, now_ms = load_settings(Path(self.project)), SystemClock().now_ms()
        if verdict:
            write_record(settings.data, verdict, now_ms)
        elif trouble and settings.git.repository:
            write_trouble(settings.data, trouble, now_ms)
        elif not trouble:
            forget_record(settings.data)

    def tells_pending(self) -> bool:
        """Return whether a command is to be run for a commit that is in progress.

        Raises:
            SettingsError: The project's settings are wrong.
        """
        return bool(load_settings(Path(self.project)).git.status_command)

    def broken(self) -> Mapping[str, Sequence[Problem]]:
        """Return the mistakes of each file that has any, by the name of its asset."""
        return self.load().broken

    def announce(self, commit: str, state: str, text: str, log: Callable[[str], None]) -> None:
        """Report to Dagster's page and to the command of the settings what became of a commit.

        Raises:
            GitError: The command failed, or took too long.
        """
        settings = load_settings(Path(self.project))
        log(reload_definitions(settings) or "Dagster is reloading the definitions")
        tell_status(settings, commit, state, text)

    def archive(self, name: str, log: Callable[[str], None]) -> Archived:
        """Bring a source's event log up to now.

        Raises:
            UnknownFeatureError: The source's definition is gone, or does not load any more.
        """
        loaded = self.load()
        source = loaded.project.sources.get(name)
        if source is None:
            msg = f"source {name} is no longer defined, or its file does not load: fp validate"
            raise UnknownFeatureError(msg)
        return archive_source(loaded.settings, source, lambda fact: log(line_of(fact)))

    def archive_feature_log(self, name: str, log: Callable[[str], None]) -> Archived | None:
        """Bring the archive of what was served from a list up to now; None: nothing was logged."""
        settings = load_settings(Path(self.project))
        if not is_logged(settings, name):
            log(f"topic {settings.feature_log.topic(name)} does not exist: nothing was logged")
            return None
        return archive_feature_log(settings, name, lambda fact: log(line_of(fact)))

    def training_set(
        self, wish: SetWish, rows: SpineLike | None, place: SetPlace, log: Callable[[str], None]
    ) -> TrainingSet:
        """Make a training set; see `training_sets.make_set`."""
        loaded = self.load()
        with open_world(loaded.settings) as reads:
            return make_set(loaded, reads.registry, wish, rows, place, log)

    def statistics(self, name: str, log: Callable[[str], None]) -> "StatisticsReport | None":
        """Judge what was served from a list; see `reports.list_statistics`."""
        return reports.list_statistics(self.load(), name, log)

    def event_statistics(self, name: str, log: Callable[[str], None]) -> "StatisticsReport | None":
        """Judge what a feature set takes of its events; see `reports.event_statistics`."""
        return reports.event_statistics(self.load(), name, log)

    def late_events(self, name: str, log: Callable[[str], None]) -> "Sequence[DayLate]":
        """Measure how late the events of a source came; see `reports.late_events`."""
        return reports.late_events(self.load(), name, log)

    def usage(self, name: str, log: Callable[[str], None]) -> "Sequence[FeatureUse]":
        """Look at what the names of a feature set cost and who uses them; see `reports.usage`."""
        return reports.usage(self.load(), name, log)

    def check(self, name: str, ask: CheckRequest, log: Callable[[str], None]) -> CheckReport:
        """Compare a feature set's tiles with their events."""
        with open_world(load_settings(Path(self.project))) as world:
            return check_and_note(world, name, ask, log)

    def match(self, name: str, log: Callable[[str], None]) -> MatchReport:
        """Compare what was served from a list with its events."""
        from feature_platform.match.run import MatchRequest, match  # Arrow, which few runs need

        with open_world(load_settings(Path(self.project))) as world:
            return match(world, name, MatchRequest(), log)

    def repair(
        self, name: str, ask: CheckRequest, found: CheckReport, log: Callable[[str], None]
    ) -> CheckReport:
        """Correct what a check of the whole log has found, and check again.

        Raises:
            PlanRefusedError: It cannot be corrected; the message says what to do.
        """
        with open_world(load_settings(Path(self.project))) as world:
            plan = make_repair_plan(world, name, found)
            if plan is None:
                return found
            log(explain(plan))
            execute(plan, world, log)
            return check_and_note(world, name, ask, log)

    def observe(self, log: Callable[[str], None]) -> list[Health]:
        """Ask the servers how every deployed feature set is doing; nothing is changed.

        Args:
            log: Called with what could not be asked.
        """
        with open_world(load_settings(Path(self.project))) as reads:
            return observe(reads, log)

    def drop_old_tables(self, log: Callable[[str], None]) -> None:
        """Drop tables of old generations that nobody can go back to any more.

        Args:
            log: Called with which went, and which could not.

        Raises:
            StoreUnavailableError: The registry did not answer.
        """
        with open_world(load_settings(Path(self.project))) as world:
            drop_all_expired(world, log)


def store_lists(world: World, project: Project, log: Callable[[str], None]) -> list[str]:
    """Store all feature lists; return what was refused."""
    return _log_refused(apply_lists(world, make_list_plans(world, project), log), log)


def _log_refused(outcomes: Sequence[ListOutcome], log: Callable[[str], None]) -> list[str]:
    refused = [str(outcome.error) for outcome in outcomes if outcome.error]
    for text in refused:
        log(text)
    return refused


def _watched(settings: Settings) -> Repository:
    """Return the watched repository.

    Raises:
        GitError: There is none.
    """
    if not settings.git.repository:
        msg = "git.repository is not set in feature_platform.toml: no branch is watched"
        raise GitError(msg)
    return repository(settings)


def _deployment(reads: Reads, name: str, plan: str) -> Deployment:
    snapshot = deployed_snapshot(reads, name)
    attempts = reads.registry.attempts(name, snapshot.generation)
    return Deployment(
        plan=plan,
        snapshot=snapshot,
        attempt=attempts[-1].attempt if attempts else 0,
        flink_url=reads.settings.flink.rest_url,
    )
