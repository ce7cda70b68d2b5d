"""The sensor `jobs`: writes down how every job is doing, and starts again what should run."""

from collections.abc import Iterable

import dagster as dg

from feature_platform.clock import SystemClock
from feature_platform.orchestration import metadata
from feature_platform.orchestration.assets import (
    FEATURE_SET_TAG,
    RESTART_TAG,
    live_key,
    stream_key,
)
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.watch import Restart, Tick, watch

INTERVAL_S = 15


def jobs_sensor(names: Iterable[str]) -> dg.SensorDefinition:
    """Make the sensor over the feature sets that have an asset."""
    deployable = frozenset(names)

    @dg.sensor(
        name="jobs",
        target=dg.AssetSelection.assets(*map(stream_key, sorted(deployable))),
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Observes every job, and starts again what should run and does not.",
    )
    def jobs(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
        healths = platform.observe(context.log.info)
        tick = watch(healths, context.cursor, SystemClock().now_ms(), deployable)
        context.log.info(tick.words)
        for health in healths:
            if health.alert:
                context.log.error(health.alert)
        return _result(tick)

    return jobs


def _result(tick: Tick) -> dg.SensorResult:
    observations = [
        dg.AssetObservation(
            live_key(seen.health.featureset),
            metadata=metadata.live(
                seen.health,
                events_per_second=seen.events_per_second,
                rows_per_second=seen.rows_per_second,
            ),
        )
        for seen in tick.observations
    ]
    requests = [_request(restart) for restart in tick.restarts]
    return dg.SensorResult(
        run_requests=requests or None,
        skip_reason=None if requests else tick.words,
        cursor=tick.cursor,
        asset_events=observations,
    )


def _request(restart: Restart) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=restart.run_key,
        asset_selection=[stream_key(restart.featureset)],
        tags={FEATURE_SET_TAG: restart.featureset, RESTART_TAG: restart.reason},
    )
