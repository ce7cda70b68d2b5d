"""Assets `event_log/feature_log/<list>` archive what was served from lists, and their check.

Wiring only. The check's rates are an observation of the asset, too: Dagster plots those over time.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from feature_platform.checks.result import MATCH_RATE
from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import MissingExtraError, UnknownFeatureError
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.match.report import MatchReport, nothing
from feature_platform.orchestration import metadata
from feature_platform.orchestration.event_log import POOL, default_status
from feature_platform.orchestration.resources import Platform
from feature_platform.settings import Settings


def feature_log_key(name: str) -> dg.AssetKey:
    """Return the key of the asset that archives what was served from a list."""
    return dg.AssetKey(["event_log", FEATURE_LOG, name])


def feature_log_asset(listed: FeatureList) -> dg.AssetsDefinition:
    """Make the asset whose materialisation archives what was served from a list."""

    @dg.asset(
        key=feature_log_key(listed.name),
        deps=[dg.AssetKey(["list", listed.name])],
        description="The sample of what was served from the list, each row exactly once, in "
        "Parquet by date; nothing until a client logs it.",
        group_name="lists",
        kinds={"parquet"},
        pool=POOL,
    )
    def feature_log(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        done = platform.archive_feature_log(listed.name, context.log.info)
        return dg.MaterializeResult(metadata=metadata.served(done))

    return feature_log


def match_check(listed: FeatureList) -> dg.AssetChecksDefinition:
    """Make the check of what was served from a list; a run in which a value differs fails."""
    key = feature_log_key(listed.name)

    spec = dg.AssetCheckSpec(
        name=MATCH_RATE,
        asset=key,
        description="Served values equal those recomputed from the events that were known then, "
        "or are explained by the events that they lack.",
    )

    @dg.multi_asset_check(name=f"{MATCH_RATE}_{listed.name}", specs=[spec], pool=POOL)
    def match_rate(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        found = _matched(platform, listed.name, context)
        if found.rates:
            seen = dg.AssetObservation(asset_key=key, metadata=metadata.match_rates(found))
            context.op_execution_context.log_event(seen)
        yield metadata.match_result(found, key)
        if found.is_red:
            raise dg.Failure("\n".join(found.result.findings), allow_retries=False)

    return match_rate


def _matched(platform: Platform, name: str, context: dg.AssetCheckExecutionContext) -> MatchReport:
    try:
        return platform.match(name, context.log.info)
    except (UnknownFeatureError, MissingExtraError) as error:
        return nothing(name, str(error))


def match_schedule(
    lists: Sequence[FeatureList], settings: Settings, cron: str
) -> dg.ScheduleDefinition:
    """Make the schedule of these checks, which is that of the checks of feature sets."""
    keys = [
        dg.AssetCheckKey(asset_key=feature_log_key(listed.name), name=MATCH_RATE)
        for listed in lists
    ]
    return dg.ScheduleDefinition(
        name=MATCH_RATE,
        job=dg.define_asset_job(MATCH_RATE, selection=dg.AssetSelection.checks(*keys)),
        cron_schedule=cron,
        default_status=default_status(settings),
        description="Compares a sample of what was served with what the events say.",
    )
