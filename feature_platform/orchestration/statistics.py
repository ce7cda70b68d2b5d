"""The check `statistics` of `event_log/feature_log/<list>`, with numbers to plot. Wiring only."""

from collections.abc import Iterator

import dagster as dg

from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import MissingExtraError, UnknownFeatureError
from feature_platform.orchestration import statistics_metadata
from feature_platform.orchestration.event_log import POOL
from feature_platform.orchestration.feature_log import feature_log_key
from feature_platform.orchestration.resources import Platform

STATISTICS = "statistics"


def statistics_check_key(name: str) -> dg.AssetCheckKey:
    """Return the key of a list's check."""
    return dg.AssetCheckKey(asset_key=feature_log_key(name), name=STATISTICS)


def statistics_check(listed: FeatureList) -> dg.AssetChecksDefinition:
    """Make the check of what was served from a list; a run in which a limit is passed fails."""
    key = feature_log_key(listed.name)

    @dg.multi_asset_check(
        name=f"statistics_{listed.name}",
        specs=[
            dg.AssetCheckSpec(
                name=STATISTICS,
                asset=key,
                description="What was served on the newest day that is over is within the limits "
                "of the list, also compared with an earlier day.",
            )
        ],
        pool=POOL,
    )
    def statistics(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            found = platform.statistics(listed.name, context.log.info)
        except (UnknownFeatureError, MissingExtraError) as error:
            yield statistics_metadata.unjudged(str(error), key)
            return
        if found is None:
            yield statistics_metadata.unjudged("nothing that was served is archived", key)
            return
        seen = dg.AssetObservation(key, metadata=statistics_metadata.numbers(found))
        context.op_execution_context.log_event(seen)
        yield statistics_metadata.judged(found, key)
        if found.status == "red":
            raise dg.Failure("\n".join(found.findings), allow_retries=False)

    return statistics
