"""The platform as Dagster's resource: what assets and the sensor call; it connects when used."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from feature_platform.checks.last import check_and_note
from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import Checked
from feature_platform.checks.run import Ask
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import drop_all_expired
from feature_platform.deploy.recover import ensure_running
from feature_platform.deploy.spark import Archived
from feature_platform.deploy.spark import archive as archive_source
from feature_platform.deploy.world import World, open_world
from feature_platform.errors import GitError, UnknownFeatureError
from feature_platform.orchestration.health import Health
from feature_platform.orchestration.loading import Loaded, load
from feature_platform.orchestration.observe import observe
from feature_platform.orchestration.push import Memory, Pushed, left_to_do
from feature_platform.orchestration.pushed import definitions_at, look_at, repository
from feature_platform.plan.explain import explain
from feature_platform.plan.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What was done, and what is deployed now."""

    plan: str
    """The plan as it was explained and executed."""
    snapshot: Snapshot
    attempt: int
    flink_url: str


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
            log: Told each stage.
            commit: Take the definition as it is at this commit of the watched repository; empty:
                as it is on disk.
        """
        loaded = self.load()
        project = definitions_at(loaded.settings, commit) if commit else loaded.project
        with open_world(loaded.settings) as world:
            (plan,) = make_plans(world, project, [name])
            text = explain(plan)
            log(text)
            execute(plan, world, log)
            return _deployment(world, name, text)

    def restart(self, name: str, log: Callable[[str], None]) -> Deployment:
        """Start a dead job again as it was deployed, whatever its definition says by now."""
        with open_world(self.load().settings) as world:
            started = ensure_running(world, name, log)
            text = "started again as it was deployed" if started else "it runs already"
            return _deployment(world, name, text)

    def pushed(self, memory: Memory) -> Pushed | None:
        """Return the watched branch's head and what it would change; None if all of it is done.

        Raises:
            GitError: No repository is watched, or it or the branch cannot be read.
            SettingsError: The project's settings are wrong.
            WorldError: A server did not answer.
        """
        settings = self.load().settings
        if not settings.git.repository:
            msg = "git.repository is not set in feature_platform.toml: no branch is watched"
            raise GitError(msg)
        head = repository(settings).head(settings.git.branch)
        if memory.commit == head.id and memory.done:
            return None
        names = left_to_do(memory, head.id)
        with open_world(settings) as world:
            return look_at(world, head, definitions_at(settings, head.id), names)

    def archive(self, name: str, log: Callable[[str], None]) -> Archived:
        """Bring a source's event log up to now.

        Raises:
            UnknownFeatureError: The source's definition is gone, or does not load any more.
        """
        loaded = self.load()
        source = loaded.project.sources.get(name)
        if source is None:
            msg = f"source {name} is not defined any more, or its file does not load: fp validate"
            raise UnknownFeatureError(msg)
        return archive_source(loaded.settings, source, lambda fact: log(json.dumps(fact)))

    def check(self, name: str, ask: Ask, log: Callable[[str], None]) -> Checked:
        """Compare a feature set's tiles with their events."""
        with open_world(self.load().settings) as world:
            return check_and_note(world, name, ask, log)

    def repair(self, name: str, ask: Ask, found: Checked, log: Callable[[str], None]) -> Checked:
        """Correct what a check of the whole log has found, and check again.

        Raises:
            PlanRefusedError: It cannot be corrected; the message says what to do.
        """
        with open_world(self.load().settings) as world:
            plan = make_repair_plan(world, name, found)
            if plan is None:
                return found
            log(explain(plan))
            execute(plan, world, log)
            return check_and_note(world, name, ask, log)

    def observe(self, log: Callable[[str], None]) -> list[Health]:
        """Ask the servers how every deployed feature set is doing.

        Tables of old generations go on the way, once nobody can go back to them any more.

        Args:
            log: Told which went, and which could not.
        """
        with open_world(self.load().settings) as world:
            drop_all_expired(world, log)
            return observe(world)


def _deployment(world: World, name: str, plan: str) -> Deployment:
    snapshot = deployed_snapshot(world, name)
    attempts = world.registry.attempts(name, snapshot.generation)
    return Deployment(
        plan=plan,
        snapshot=snapshot,
        attempt=attempts[-1].attempt if attempts else 0,
        flink_url=world.settings.flink.rest_url,
    )
