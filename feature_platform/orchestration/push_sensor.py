"""The sensor `git_push` and the job that it launches: a push deploys. Wiring only."""

import dagster as dg

from feature_platform.clock import SystemClock
from feature_platform.errors import FeaturePlatformError
from feature_platform.orchestration import metadata
from feature_platform.orchestration.assets import FEATURE_SET_TAG, stream_key
from feature_platform.orchestration.push import Memory, Tick, decide, idle
from feature_platform.orchestration.resources import Platform
from feature_platform.settings import GitSettings

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


@dg.op
def deploy_pushed(context: dg.OpExecutionContext, platform: Platform, config: PushConfig) -> None:
    """Bring a feature set to its definition at a commit."""
    done = platform.deploy(config.featureset, context.log.info, commit=config.commit)
    shown = {**metadata.deployed(done), "commit": dg.MetadataValue.text(config.commit)}
    context.log_event(dg.AssetMaterialization(stream_key(config.featureset), metadata=shown))


@dg.job(description="Deploys one feature set as it is at a commit; launched by `git_push`.")
def deploy_commit() -> None:
    """Deploy what was pushed; also a feature set that this code location does not know yet."""
    deploy_pushed()


def push_sensor(settings: GitSettings) -> dg.SensorDefinition:
    """Make the sensor; it runs from the start if a repository is named."""
    status = dg.DefaultSensorStatus
    watched = bool(settings.repository)

    @dg.sensor(
        name="git_push",
        job_name=deploy_commit.name,
        minimum_interval_seconds=INTERVAL_S,
        default_status=status.RUNNING if watched else status.STOPPED,
        description="Deploys what a push to the watched branch changes.",
    )
    def git_push(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        tick = _tick(context, platform)
        context.log.info(tick.words)
        requests = [
            dg.RunRequest(
                run_key=launch.run_key,
                run_config=_config(launch.featureset, launch.commit),
                tags={FEATURE_SET_TAG: launch.featureset, COMMIT_TAG: launch.commit},
            )
            for launch in tick.launches
        ]
        return dg.SensorResult(
            run_requests=requests or None,
            skip_reason=None if requests else tick.words,
            cursor=tick.cursor,
        )

    return git_push


def _tick(context: dg.SensorEvaluationContext, platform: Platform) -> Tick:
    memory = Memory.read(context.cursor)
    try:
        pushed = platform.pushed(memory)
    except FeaturePlatformError as error:
        return idle(str(error), memory)
    if pushed is None:
        return idle(f"nothing new was pushed since {memory.done}", memory)
    running = {
        run.tags.get(FEATURE_SET_TAG, "")
        for run in context.instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY)))
    }
    return decide(pushed, memory, running, SystemClock().now_ms())


def _config(featureset: str, commit: str) -> dict[str, object]:
    config = {"featureset": featureset, "commit": commit}
    return {"ops": {deploy_pushed.name: {"config": config}}}
