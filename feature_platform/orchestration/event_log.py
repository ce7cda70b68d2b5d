"""Assets `event_log/<source>` archive a topic; a schedule does so every hour. Wiring only."""

from collections.abc import Iterable, Sequence
from itertools import chain

import dagster as dg

from feature_platform.definition.model import Source
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.orchestration import metadata
from feature_platform.orchestration.resources import Platform
from feature_platform.settings import Settings

POOL = "event_log"
"""One Spark at a time, and so one run of a source at a time."""
SOURCE_TAG = "fp/source"


def event_log_key(name: str) -> dg.AssetKey:
    """Return the key of the asset that archives a source."""
    return dg.AssetKey(["event_log", name])


def event_log_asset(source: Source) -> dg.AssetsDefinition:
    """Make the asset whose materialisation archives a source's topic."""

    @dg.asset(
        key=event_log_key(source.name),
        deps=[dg.AssetKey(["source", source.name])],
        description=f"All records of topic `{source.topic}`, each exactly once, in Parquet by "
        "event date.",
        group_name="sources",
        kinds={"spark", "parquet"},
        pool=POOL,
    )
    def event_log(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        done = platform.archive(source.name, context.log.info)
        return dg.MaterializeResult(metadata=metadata.archived(done))

    return event_log


def default_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """Return whether schedules run unless they are switched off on their page."""
    status = dg.DefaultScheduleStatus
    return status.RUNNING if settings.dagster.schedules else status.STOPPED


def event_log_schedule(
    names: Iterable[str], served: Sequence[dg.AssetKey], settings: Settings, cron: str
) -> dg.ScheduleDefinition:
    """Make the schedule: a run for each source, so that one that fails stops no other.

    The assets of lists (`served`) share a run: most lists are not logged.
    """
    archived = {name: [event_log_key(name)] for name in sorted(names)}
    archived |= {f"{FEATURE_LOG}/": list(served)} if served else {}

    @dg.schedule(
        name="event_log",
        cron_schedule=cron,
        target=dg.AssetSelection.assets(*chain.from_iterable(archived.values())).without_checks(),
        default_status=default_status(settings),
        description="Archives sources and what was served from lists, before Kafka deletes it.",
    )
    def event_log(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        at = context.scheduled_execution_time.isoformat()
        return [_request(name, keys, at) for name, keys in archived.items()]

    return event_log


def _request(name: str, keys: Sequence[dg.AssetKey], at: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{name}:{at}",
        asset_selection=keys,
        asset_check_keys=[],  # they have a schedule of their own
        tags={SOURCE_TAG: name},
    )
