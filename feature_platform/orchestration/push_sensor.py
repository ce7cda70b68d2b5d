"""The sensor `git_push` and the jobs that it launches: a push deploys. Wiring only."""

from collections.abc import Iterator

import dagster as dg

from feature_platform.clock import SystemClock
from feature_platform.errors import FeaturePlatformError, NothingPushedError
from feature_platform.orchestration import metadata
from feature_platform.orchestration.assets import FEATURE_SET_TAG, broken_key, stream_key
from feature_platform.orchestration.resources import Platform
from feature_platform.pushes.push import Launch, Memory, PushTick, PushVerdict, decide, done, idle

INTERVAL_S = 15
COMMIT_TAG = "fp/commit"
UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


class PushConfig(dg.Config):
    """What a run deploys."""

    featureset: str
    commit: str


class VerdictConfig(dg.Config):
    """What became of a commit."""

    commit: str
    words: str
    state: str
    text: str


@dg.op
def deploy_pushed(context: dg.OpExecutionContext, platform: Platform, config: PushConfig) -> None:
    """Bring a feature set to its definition at a commit."""
    done = platform.deploy(config.featureset, context.log.info, commit=config.commit)
    shown = metadata.deployed(done)
    context.log_event(dg.AssetMaterialization(stream_key(config.featureset), metadata=shown))


@dg.job(description="Deploys one feature set as defined in a commit; launched by `git_push`.")
def deploy_commit() -> None:
    """Deploy what was pushed; also a feature set that this code location does not know yet."""
    deploy_pushed()


@dg.op
def tell_verdict(context: dg.OpExecutionContext, platform: Platform, config: VerdictConfig) -> None:
    """Let the page show the commit, report the commit's status, and fail if the commit failed."""
    platform.announce(config.commit, config.state, config.text, context.log.info)
    for name, problems in platform.broken().items():
        red = metadata.check_of(problems)
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=broken_key(name),
                check_name="loads",
                passed=False,
                metadata=red.metadata,
                description=red.description,
            )
        )
    if config.state == "failure":
        msg = f"commit {config.words}: {config.text}"
        raise dg.Failure(msg, allow_retries=False)


@dg.job(
    description="Reports the result of a commit and fails if the commit failed; launched by "
    "`git_push`."
)
def judge_commit() -> None:
    """Make a push that fails a run that fails: nobody looks at a sensor's page."""
    tell_verdict()


@dg.sensor(
    name="git_push",
    jobs=[deploy_commit, judge_commit],
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deploys feature sets changed by a push to the watched branch, if "
    "`git.repository` is set.",
)
def git_push(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Look at the watched branch; the settings are read at every tick."""
    tick = _tick(context, platform)
    context.log.info(tick.words)
    requests = [_deploy(launch) for launch in tick.launches]
    requests += [_judge(verdict) for verdict in _told(context, platform, tick)]
    return dg.SensorResult(
        run_requests=requests or None,
        skip_reason=None if requests else tick.words,
        cursor=tick.cursor,
    )


def _tick(context: dg.SensorEvaluationContext, platform: Platform) -> PushTick:
    memory = Memory.read(context.cursor)
    try:
        pushed = platform.pushed(memory)
    except NothingPushedError as nothing:
        return idle(str(nothing), memory)
    except FeaturePlatformError as error:
        return idle(str(error), memory, trouble=True)
    if pushed is None:
        return done(memory)
    running = {
        run.tags.get(FEATURE_SET_TAG, "")
        for run in context.instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY)))
    }
    return decide(pushed, memory, running, SystemClock().now_ms())


def _told(
    context: dg.SensorEvaluationContext, platform: Platform, tick: PushTick
) -> Iterator[PushVerdict]:
    """Keep what a tick has found, and yield the verdict if it is to be reported.

    Nothing is raised: what was launched would be lost with it.
    """
    try:
        platform.keep_verdict(tick.verdict, tick.words if tick.is_trouble else "")
        is_told = tick.is_news and (not tick.is_pending or platform.tells_pending())
    except (FeaturePlatformError, OSError) as error:
        context.log.warning("the result of the push was not recorded for fp status: %s", error)
        is_told = tick.is_news and not tick.is_pending
    if tick.verdict and is_told:
        yield tick.verdict


def _deploy(launch: Launch) -> dg.RunRequest:
    config = {"featureset": launch.featureset, "commit": launch.commit}
    return dg.RunRequest(
        job_name=deploy_commit.name,
        run_key=launch.run_key,
        run_config={"ops": {deploy_pushed.name: {"config": config}}},
        tags={FEATURE_SET_TAG: launch.featureset, COMMIT_TAG: launch.commit},
    )


def _judge(verdict: PushVerdict) -> dg.RunRequest:
    config = {
        "commit": verdict.commit,
        "words": verdict.words,
        "state": verdict.state,
        "text": verdict.text,
    }
    return dg.RunRequest(
        job_name=judge_commit.name,
        run_key=f"verdict:{verdict.key}",
        run_config={"ops": {tell_verdict.name: {"config": config}}},
        tags={COMMIT_TAG: verdict.commit},
    )
