"""What Dagster loads: every feature set as assets, and the sensor that watches over their jobs."""

import dagster as dg

from feature_platform.orchestration.assets import (
    broken_asset,
    broken_check,
    live_asset,
    source_asset,
    stream_asset,
)
from feature_platform.orchestration.checks import (
    checks_schedule,
    featureset_checks,
    tiles_asset,
)
from feature_platform.orchestration.event_log import event_log_asset, event_log_schedule
from feature_platform.orchestration.loading import load
from feature_platform.orchestration.push_sensor import deploy_commit, push_sensor
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.sensors import jobs_sensor, restart_deployed

loaded = load()
featuresets = loaded.project.featuresets.values()

defs = dg.Definitions(
    assets=[
        *map(source_asset, loaded.project.sources.values()),
        *map(event_log_asset, loaded.project.sources.values()),
        *map(stream_asset, featuresets),
        *map(live_asset, featuresets),
        *map(tiles_asset, featuresets),
        *(broken_asset(name, problems) for name, problems in loaded.broken.items()),
    ],
    asset_checks=[
        *(broken_check(name) for name in loaded.broken),
        *map(featureset_checks, featuresets),
    ],
    jobs=[deploy_commit, restart_deployed],
    sensors=[jobs_sensor, push_sensor(loaded.settings.git)],
    schedules=[event_log_schedule(loaded.project.sources), checks_schedule(featuresets)],
    resources={"platform": Platform(project=str(loaded.settings.project))},
    executor=dg.in_process_executor,
)
