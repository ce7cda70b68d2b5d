"""The sensor `git_push` as Dagster runs it: what it launches, and what is told of a push."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from feature_platform.errors import (
    FeaturePlatformError,
    GitError,
    Problem,
    SettingsError,
    StoreUnavailableError,
)
from feature_platform.orchestration.assets import broken_key
from feature_platform.orchestration.push_sensor import (
    COMMIT_TAG,
    deploy_commit,
    git_push,
    judge_commit,
)
from feature_platform.orchestration.resources import Platform
from feature_platform.pushes.push import Memory, Pushed, PushedChange
from feature_platform.pushes.push_record import read_record
from tests.unit.orchestration.fake import World

GIT = shutil.which("git") or "git"
AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@example.org")


def _git(where: Path, *arguments: str) -> None:
    subprocess.run([GIT, *AUTHOR, *arguments], cwd=where, check=True, capture_output=True)


def _push_tick(world: World, cursor: str | None = None) -> SensorExecutionData:
    context = dg.build_sensor_context(
        cursor=cursor,
        resources={"platform": world.resource},
        instance=dg.DagsterInstance.ephemeral(),
    )
    return git_push.evaluate_tick(context)


def test_a_push_launches_a_run_that_deploys_the_commit(world: World) -> None:
    """The run takes the definition as it was committed, and shows up as the stream's."""
    change = PushedChange(featureset="engagement", kind="forward", fingerprint="f", attempt=1)
    world.pushed = Pushed(
        commit="abc", words="abc (x)", problems=(), wanted=(change,), undefined=()
    )
    tick = _push_tick(world)
    (request,) = tick.run_requests or []
    assert request.job_name == "deploy_commit"
    assert request.tags[COMMIT_TAG] == "abc"
    assert Memory.read(tick.cursor).tries["engagement"].tries == 1
    resources = {"platform": world.resource}
    run = deploy_commit.execute_in_process(run_config=request.run_config, resources=resources)
    assert world.calls[-1] == ("deploy abc", "engagement")
    (event,) = [each for each in run.all_events if each.is_step_materialization]
    assert event.asset_key == dg.AssetKey(["stream", "engagement"])


@pytest.mark.parametrize("kind", [SettingsError, StoreUnavailableError, GitError])
def test_a_push_tick_that_cannot_look_says_why_and_forgets_nothing(
    world: World, kind: type[FeaturePlatformError]
) -> None:
    """Settings that are being edited, a store that is down."""
    world.pushed = kind("it is so")
    cursor = Memory(commit="abc", done="").write()
    tick = _push_tick(world, cursor)
    assert (tick.skip_message, tick.cursor) == ("it is so", cursor)


def _pushed(*problems: str) -> Pushed:
    change = PushedChange(featureset="engagement", kind="forward", fingerprint="f", attempt=1)
    return Pushed(commit="abc", words="abc (x)", problems=problems, wanted=(change,), undefined=())


def test_a_push_with_a_mistake_is_a_run_that_fails(world: World) -> None:
    """Beside that which deploys what is right; the broken file's check is red."""
    problem = Problem(file="featuresets/x.yaml", line=7, column=3, message="no column")
    world.pushed, world.broken = _pushed(str(problem)), {"x": [problem]}
    tick = _push_tick(world)
    deploys, judges = tick.run_requests or []
    assert (deploys.job_name, judges.job_name) == ("deploy_commit", "judge_commit")
    assert ("keep", "failure") in world.calls
    instance = dg.DagsterInstance.ephemeral()
    run = judge_commit.execute_in_process(
        run_config=judges.run_config,
        resources={"platform": world.resource},
        instance=instance,
        raise_on_error=False,
    )
    assert not run.success
    assert world.calls[-1] == ("announce failure", "abc")
    key = dg.AssetCheckKey(broken_key("x"), "loads")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert record.status.value == "FAILED"
    again = _push_tick(world, tick.cursor)
    assert "judge_commit" not in [each.job_name for each in again.run_requests or []]


def test_a_push_that_is_done_is_a_run_that_succeeds(world: World) -> None:
    """It makes the page read the definitions again, and tells the commit's status."""
    world.pushed = replace(_pushed(), wanted=())
    (request,) = _push_tick(world).run_requests or []
    run = judge_commit.execute_in_process(
        run_config=request.run_config, resources={"platform": world.resource}
    )
    assert run.success
    assert world.calls[-1] == ("announce success", "abc")


@pytest.mark.parametrize("tells", [False, True])
def test_a_push_that_is_under_way_is_told_if_anybody_wants_to_know(
    world: World, *, tells: bool
) -> None:
    """A run of its own takes seconds, which a deployment would wait for."""
    world.pushed, world.tells_pending = _pushed(), tells
    jobs = [request.job_name for request in _push_tick(world).run_requests or []]
    assert jobs == ["deploy_commit", *(["judge_commit"] if tells else [])]


@pytest.mark.parametrize("error", [OSError("disk full"), SettingsError("half written")])
def test_a_verdict_that_cannot_be_kept_loses_no_launch(world: World, error: Exception) -> None:
    """A sensor that raises loses what it had launched."""
    world.pushed, world.keeps = _pushed("a mistake"), error
    jobs = [request.job_name for request in _push_tick(world).run_requests or []]
    assert jobs == ["deploy_commit", "judge_commit"]


def test_a_branch_that_cannot_be_read_is_kept_for_fp_status(world: World) -> None:
    """A tick that says so is read by nobody."""
    world.pushed = GitError("the branch is gone")
    assert _push_tick(world).run_requests == []
    assert world.calls[-1] == ("keep", "the branch is gone")


def test_what_is_known_of_a_push_is_kept_at_each_tick(world: World) -> None:
    """After a tick that could not look, too."""
    world.pushed = replace(_pushed(), wanted=())
    first = _push_tick(world)
    world.pushed = None
    _push_tick(world, first.cursor)
    assert world.calls[-1] == ("keep", "success")


def test_a_repository_that_is_set_later_is_noticed(folder: Path) -> None:
    """The sensor runs in any case, and reads the settings at every tick."""
    assert git_push.default_status is dg.DefaultSensorStatus.RUNNING
    platform = Platform(project=str(folder))
    with pytest.raises(GitError, match=r"git\.repository is not set"):
        platform.pushed(Memory())
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "later.git"\n')
    with pytest.raises(GitError, match=r"later\.git"):
        platform.pushed(Memory())


def test_before_the_first_push_nothing_is_wrong(folder: Path) -> None:
    """What kept anybody from looking before is forgotten; a branch that is gone is trouble."""
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "bare.git"\n')
    platform = Platform(project=str(folder))
    context = dg.build_sensor_context(
        resources={"platform": platform}, instance=dg.DagsterInstance.ephemeral()
    )
    git_push.evaluate_tick(context)
    record = read_record(folder / ".fp")
    assert record is not None
    assert (record.state, "bare.git" in record.text) == ("unknown", True)
    _git(folder, "init", "--quiet", "--bare", "bare.git")
    tick = git_push.evaluate_tick(context)
    where = folder / "bare.git"
    assert tick.skip_message == (
        f"nothing has been pushed to branch main of {where} yet; the first push deploys"
    )
    assert read_record(folder / ".fp") is None
    with pytest.raises(GitError, match=r"main no longer has commits; .* abc \(x\): push it again"):
        platform.pushed(Memory(commit="abc", words="abc (x)"))
    _git(folder, "init", "--quiet", "--initial-branch", "master", "work")
    _git(folder / "work", "commit", "--quiet", "--allow-empty", "--message", "x")
    _git(folder / "work", "push", "--quiet", str(where), "master")
    git_push.evaluate_tick(context)
    record = read_record(folder / ".fp")
    assert record is not None
    told = (
        f"repository {where}: branch main has no commits, but master does: push to "
        "main, or check git.repository and git.branch"
    )
    assert (record.state, record.text) == ("unknown", told)


def test_only_a_watched_branch_leaves_a_record(folder: Path) -> None:
    """`fp status` of a project without one has nothing to say of pushes."""
    platform = Platform(project=str(folder))
    platform.keep_verdict(None, "git.repository is not set")
    assert read_record(folder / ".fp") is None
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "later.git"\n')
    platform.keep_verdict(None, "there is no such repository")
    record = read_record(folder / ".fp")
    assert record is not None
    assert record.state == "unknown"


def test_an_idle_push_tick_says_why(world: World) -> None:
    """Nothing is watched, nothing new came, or the branch cannot be read."""
    world.pushed = GitError("git.repository is not set")
    assert "git.repository is not set" in (_push_tick(world).skip_message or "")
    world.pushed = None
    cursor = Memory(commit="abc", done="commit abc (x)").write()
    tick = _push_tick(world, cursor)
    assert tick.skip_message == "no new push since commit abc (x)"
    assert tick.cursor == cursor
