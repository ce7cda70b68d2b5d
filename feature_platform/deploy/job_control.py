"""The job of one feature set while it is changed: begun, stopped, revived, brought back.

This alone says what is deployed by now, and writes that into the registry. It knows no plan and no
stage: what each stage of a plan does with it is in `execution`.
"""

import json
from dataclasses import asdict, replace
from uuid import uuid4

from feature_platform.deploy.await_checkpoint import await_checkpoint
from feature_platform.deploy.await_recovered import await_grace, await_recovered
from feature_platform.deploy.begun import BegunDeployment, digest
from feature_platform.deploy.generation import retire_replaced
from feature_platform.deploy.halt import halt
from feature_platform.deploy.start import begin, epoch_of, refuse_unfinished_repair, stopped_at
from feature_platform.deploy.sweep import Line, cut_of, sweep
from feature_platform.deploy.topic_checks import check_topic
from feature_platform.engines.flink_savepoint import check_savepoint
from feature_platform.engines.job_spec import job_spec
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError, RestoreFailedError
from feature_platform.lineage.attempts import BACKFILL, dirty_since_ms, passed_by, recovered_at
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.stages import Start
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import GENESIS
from feature_platform.report import Report
from feature_platform.tiles.retention import Retention


class JobControl:
    """One feature set's job. Mutable: learns savepoints and new jobs on the way."""

    def __init__(self, world: World, name: str, snapshot: Snapshot | None, report: Report) -> None:
        """Begin with what is deployed."""
        self._world, self._name, self._report = world, name, report
        self._snapshot = snapshot
        self._progress: BegunDeployment | None = None
        self._stopped_cleanly = False
        self._submitted = False

    @property
    def snapshot(self) -> Snapshot | None:
        """What is deployed by now; None if nothing is."""
        return self._snapshot

    @property
    def has_begun(self) -> bool:
        """Whether a deployment has begun, now or in a walk that crashed, and is not done."""
        return self._progress is not None

    @property
    def has_submitted(self) -> bool:
        """Whether the job that is wanted was submitted here."""
        return self._submitted

    def adopt(self, target: Snapshot | None) -> None:
        """Take over the job that a crashed walk was starting, if it is what is wanted now."""
        left = BegunDeployment.of(self._world, self._name)
        if left is None:
            return
        if self._snapshot and self._snapshot.job_id == left.deployment:
            self.end_progress()  # a crash came just after it was recorded
            return
        job = self._world.cluster.job(left.deployment)
        alive = job is not None and job.lives
        wanted = target is not None and left.digest == digest(target)
        if wanted and (alive or (job is None and self._is_filling(target))):
            self._progress = left
        elif alive:
            self._world.cluster.cancel(left.deployment)

    def _is_filling(self, target: Snapshot | None) -> bool:
        """Return whether a backfill is all that has written a generation so far."""
        attempts = self._world.registry.attempts(self._name, target.generation) if target else []
        return bool(attempts) and all(item.kind == BACKFILL for item in attempts)

    def deployed(self) -> Snapshot:
        """Return what is deployed by now."""
        if self._snapshot is None:
            msg = f"{self._name} is not deployed; see `fp plan {self._name}`"
            raise PlanRefusedError(msg)
        return self._snapshot

    def begun(self) -> BegunDeployment:
        """Return the deployment that was begun."""
        if self._progress is None:
            msg = f"the plan of {self._name} starts a job without a deployment; plan again"
            raise PlanRefusedError(msg)
        return self._progress

    def save(self, snapshot: Snapshot) -> None:
        """Record what is deployed."""
        self._world.registry.save(snapshot)
        self._snapshot = snapshot

    def own(self, wanted: Snapshot) -> None:
        """Begin a deployment: from now on only its job may claim attempts."""
        self._progress = BegunDeployment(
            deployment=uuid4().hex,
            digest=digest(wanted),
            since_ms=self._world.clock.now_ms(),
            topic_id=self._world.topics.topic_id(wanted.topic),
        )
        self._world.registry.save_progress(self._name, json.dumps(asdict(self._progress)))
        self._world.registry.set_owner(self._name, wanted.generation, self._progress.deployment)

    def end_progress(self) -> None:
        """Note that nothing is being started any more."""
        self._world.registry.save_progress(self._name, "")
        self._progress = None

    def retire_replaced(self) -> None:
        """Stop the generation that was replaced; its table is kept for the grace time."""
        self._snapshot = retire_replaced(self._world, self.deployed())

    def submit(
        self, target: Snapshot, start: Start, *, origin: Snapshot, accept_age: bool = False
    ) -> None:
        """Submit the job that is wanted, unless a walk that crashed has; see `_launch`."""
        if self._world.cluster.job(self.begun().deployment) is None:
            self._launch(target, start, origin=origin, accept_age=accept_age)
            self._submitted = True

    def cancel_begun(self) -> None:
        """Cancel the job whose deployment has begun, if one has."""
        if self._progress:
            self._world.cluster.cancel(self._progress.deployment)
            self.end_progress()

    def _launch(
        self,
        snapshot: Snapshot,
        start: Start,
        *,
        origin: Snapshot | None = None,
        accept_age: bool = False,
    ) -> None:
        """Submit a job, after a look at what it is to restart from: Flink would take its time.

        Args:
            snapshot: What is deployed then.
            start: Where from.
            origin: Whose savepoint or rows; None for what is deployed now.
            accept_age: Whether a person has accepted that rows may be wrong.
        """
        if start == "savepoint":
            self._void_what_came_after()
        from_what = replace(origin or self._snapshot or snapshot, topic_id=snapshot.topic_id)
        begun = begin(self._world, from_what, start, accept_age=accept_age)
        if begun.path:
            check_savepoint(begun.path)
        self._note_retention(snapshot)
        spec = job_spec(snapshot, self._world.settings, begun.fields)
        self._world.submitter.submit(spec, snapshot.job_id, begun.path)

    def _note_retention(self, snapshot: Snapshot) -> None:
        """Record how long a job keeps tiles, before it can write one: it may fail after that."""
        if self._snapshot and self._snapshot.generation == snapshot.generation:
            kept = self.retention(self._snapshot, snapshot)
            if kept != self._snapshot.retention:
                self.save(replace(self._snapshot, retention=kept))

    def retention(self, before: Snapshot, after: Snapshot) -> Retention:
        """Return how long a generation's tiles are kept once another version may write them."""
        before_ms = self._world.clock.now_ms() + before.max_future_ms
        return before.kept.changed(after.layout.retention_ms, before_ms)

    def revive(self, start: Start) -> None:
        """Start what is deployed as it was, under a new deployment."""
        old = self.deployed()
        self.own(old)
        if old.unswept:
            self.claim_sweep()
        if start == "store":
            self.finish_sweep()  # the swept rows are the only cut that is left
            old = self.deployed()
        begun = self.begun()
        deployment = begun.deployment
        old = replace(old, retention=self.retention(old, old))
        running = replace(
            old,
            deployment=deployment,
            job_id=deployment,
            state="running",
            savepoint="",
            tried=(),
            topic_id=old.topic_id or begun.topic_id,
        )
        self._launch(running, start)
        await_checkpoint(self._world, deployment)
        self.save(replace(running, unswept=self.deployed().unswept))
        self.end_progress()
        self.finish_sweep()

    def stop(self, job_id: str, *, gently: bool) -> None:
        """Stop the job and record what can be restored.

        Args:
            job_id: As the plan knew it.
            gently: It must have a savepoint; else it is stopped in whatever state it is.
        """
        job = self._world.cluster.job(job_id)
        if not gently:
            path, self._stopped_cleanly = halt(self._world, job_id)
        elif job and job.state == "FINISHED":  # a stop that nobody noted
            path, self._stopped_cleanly = self._world.cluster.retained_checkpoint(job_id), True
        else:
            self._start_if_dead()
            path = self._world.cluster.stop_with_savepoint(self.deployed().job_id)
            self._stopped_cleanly = True
        stop = stopped_at(self._world, self.deployed(), path, clean=self._stopped_cleanly)
        self.save(replace(self.deployed(), state="deploying", savepoint=path, stop=stop))

    def _start_if_dead(self) -> None:
        """Revive a job that should run, so that nothing it has counted is lost."""
        job = self._world.cluster.job(self.deployed().job_id)
        if job is None or not job.lives:
            self._report("its job is not running: restarting it first, so that nothing is lost")
            try:
                self.revive("checkpoint")
            except RestoreFailedError as error:
                self._report(
                    f"cannot restore its checkpoint ({error}): restarting it from the store"
                )
                self.revive("store")

    def recover(self) -> None:
        """Let what is deployed catch up with abandoned attempts before a new version counts."""
        if self._progress:
            return  # the new version's job runs already
        check_topic(self._world, self.deployed())
        state = self.deployed().state
        if state == "running":
            self._start_if_dead()
        elif not self._stopped_recovered():
            self._report("the deployed version has not caught up: starting it first")
            self.revive("savepoint")
        self.finish_sweep()
        if self.deployed().state == "running":
            await_recovered(self._world, self.deployed(), self._report)
        await_grace(self._world, self.deployed(), self._report)
        if state != "running" and self.deployed().state == "running":
            self.stop(self.deployed().job_id, gently=True)

    def claim_sweep(self) -> Attempt:
        """Claim the sweep that goes back to the last stop; again, it is the same one."""
        deployed = self.deployed()
        epoch = epoch_of(deployed.stop)
        if epoch == GENESIS:
            msg = f"{self._name}: the checkpoint id of its savepoint is no longer known"
            raise PlanRefusedError(msg)
        registry, generation = self._world.registry, deployed.generation
        cut = registry.cut(self._name, generation, *epoch)
        now_ms = self._world.clock.now_ms()
        since_ms = dirty_since_ms(cut, registry.attempts(self._name, generation)) if cut else now_ms
        request = Attempt(
            attempt=0,
            execution=f"sweep/{epoch[0]}/{epoch[1]}",
            deployment=self._progress.deployment if self._progress else deployed.deployment,
            kind="sweep",
            restore_point=epoch,
            end_offsets=cut.positions if cut else {},
            claimed_ms=now_ms,
            dirty_since_ms=since_ms,
            clean=self._stopped_cleanly,
        )
        return registry.claim_attempt(self._name, generation, request)

    def sweep(self, *, accept_age: bool = False) -> None:
        """Write back every row that an abandoned attempt touched; the sweep is a cut afterwards."""
        deployed, registry = self.deployed(), self._world.registry
        claimed = self.claim_sweep()
        line = Line.of(registry.attempts(self._name, deployed.generation), claimed)
        sweep(self._world, deployed, line, self._report, accept_age=accept_age)
        cut = registry.cut(self._name, deployed.generation, *claimed.restore_point)
        if cut:
            swept = cut_of(line, cut, self._world.clock.now_ms())
            registry.record_cut(self._name, deployed.generation, swept)

    def finish_sweep(self) -> None:
        """Do a sweep that is due, if one is."""
        if self.deployed().unswept:
            self._report("write back rows that the undone version wrote")
            await_grace(self._world, self.deployed(), self._report)
            self.sweep()
            self.save(replace(self.deployed(), unswept=False))

    def bring_back(self) -> str:
        """Start what a failed upgrade has stopped; returns what runs now, in words."""
        old = self.deployed()
        self._report("the new job failed: restarting the old one from its savepoint")
        try:
            return self._bring_back_from("savepoint")
        except RestoreFailedError as error:
            self._report(f"cannot restore the savepoint ({error}): restarting it from the store")
        except JobFailedError as error:
            return self._left_down(old, error)
        try:
            return self._bring_back_from("store")
        except (JobFailedError, PlanRefusedError) as error:
            return self._left_down(old, error)

    def _bring_back_from(self, start: Start) -> str:
        self.revive(start)
        where = "its savepoint" if start == "savepoint" else "the store"
        return f"the previous version is running again, from {where}"

    def _left_down(self, old: Snapshot, error: Exception) -> str:
        return (
            f"restarting the previous version failed too: {error}; its savepoint {old.savepoint} "
            f"is kept: `fp apply {self._name}` restarts from it"
        )

    def _stopped_recovered(self) -> bool:
        """Return whether the last stop is the last word of an attempt that had caught up."""
        deployed, registry = self.deployed(), self._world.registry
        epoch = epoch_of(deployed.stop)
        attempts = registry.attempts(self._name, deployed.generation)
        owner = next((item for item in attempts if item.attempt == epoch[0]), None)
        if owner is None:
            return True  # nobody has written, or nobody knows: it was stopped by an older version
        cut = registry.cut(self._name, deployed.generation, *epoch)
        return not passed_by(attempts, epoch) and recovered_at(owner, cut.positions if cut else {})

    def _void_what_came_after(self) -> None:
        """Let a sweep undo what another version wrote after the savepoint that is restored."""
        deployed = self._snapshot
        if deployed is None or deployed.unswept or deployed.state == "running":
            return
        epoch = epoch_of(deployed.stop)
        attempts = self._world.registry.attempts(self._name, deployed.generation)
        if epoch != GENESIS and passed_by(attempts, epoch):
            refuse_unfinished_repair(self._world, deployed)
            self.save(replace(deployed, unswept=True))
            self.claim_sweep()
