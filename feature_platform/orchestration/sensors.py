"""The sensors of deployed feature sets: `jobs` starts what should run, `old_tables` tidies up."""

from collections.abc import Iterator

import dagster as dg

from feature_platform.clock import SystemClock
from feature_platform.monitor.watch import Restart, WatchTick, watch
from feature_platform.orchestration import metadata
from feature_platform.orchestration.assets import FEATURE_SET_TAG, live_key, stream_key
from feature_platform.orchestration.resources import Platform

INTERVAL_S = 15
OLD_TABLES_INTERVAL_S = 600
"""A table is dropped seven days after it was replaced: there is no hurry."""
RESTART_TAG = "fp/restart"


class RestartConfig(dg.Config):
    """What a run starts again."""

    featureset: str


@dg.op
def start_again(context: dg.OpExecutionContext, platform: Platform, config: RestartConfig) -> None:
    """Start a dead job as it was deployed."""
    done = platform.restart(config.featureset, context.log.info)
    shown = metadata.deployed(done)
    context.log_event(dg.AssetMaterialization(stream_key(config.featureset), metadata=shown))


@dg.job(description="Restarts the job of one feature set; launched by `jobs`.")
def restart_deployed() -> None:
    """Start what is deployed, whatever its file says by now: a mistake in it stops no job."""
    start_again()


@dg.sensor(
    name="jobs",
    job_name=restart_deployed.name,
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes every job and restarts those that should be running but are not.",
)
def jobs_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Look at all that is deployed."""
    healths = platform.observe(context.log.info)
    tick = watch(healths, context.cursor, SystemClock().now_ms())
    context.log.info(tick.words)
    for health in healths:
        if health.alert:
            context.log.error(health.alert)
    requests = [_request(restart) for restart in tick.restarts]
    return dg.SensorResult(
        run_requests=requests or None,
        skip_reason=None if requests else tick.words,
        cursor=tick.cursor,
        asset_events=[*_observations(context, tick), *_deployed(context, platform, tick)],
    )


@dg.sensor(
    name="old_tables",
    minimum_interval_seconds=OLD_TABLES_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Drops tables of old generations and deleted feature sets once nobody needs them.",
)
def old_tables_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    """Drop what is expired; it starts no run."""
    said: list[str] = []
    platform.drop_old_tables(said.append)
    for line in said:
        context.log.info(line)
    return dg.SkipReason("; ".join(said) or "no table is expired")


def _observations(
    context: dg.SensorEvaluationContext, tick: WatchTick
) -> Iterator[dg.AssetObservation]:
    """Yield what is written down of each job; numbers that cannot be shown stop no other."""
    for seen in tick.observations:
        try:
            yield dg.AssetObservation(
                live_key(seen.health.featureset),
                metadata=metadata.live(
                    seen.health,
                    events_per_second=seen.events_per_second,
                    rows_per_second=seen.rows_per_second,
                ),
            )
        except Exception as error:  # noqa: BLE001 (reported as this feature set's)
            context.log.warning("%s was not recorded: %r", seen.health.featureset, error)


def _deployed(
    context: dg.SensorEvaluationContext, platform: Platform, tick: WatchTick
) -> Iterator[dg.AssetMaterialization]:
    """Yield what was deployed outside of Dagster, which does not know of it yet."""
    for health in tick.deployed:
        key = stream_key(health.featureset)
        try:
            last = context.instance.get_latest_materialization_event(key)
            known = last.asset_materialization if last else None
            if known is None or health.job_id not in str(known.metadata.get("job")):
                done = platform.deployed(health.featureset)
                yield dg.AssetMaterialization(key, metadata=metadata.deployed(done))
        except Exception as error:  # noqa: BLE001 (reported as this feature set's)
            context.log.warning("%s: its deployment was not recorded: %r", health.featureset, error)


def _request(restart: Restart) -> dg.RunRequest:
    config = {"ops": {start_again.name: {"config": {"featureset": restart.featureset}}}}
    return dg.RunRequest(
        run_key=restart.run_key,
        run_config=config,
        tags={FEATURE_SET_TAG: restart.featureset, RESTART_TAG: restart.reason},
    )
