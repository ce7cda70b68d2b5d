"""The check `statistics` of a list's log and of a feature set, with numbers to plot. Wiring only.

That of a feature set is a check of `live/<fs>`, like its others: the log of a source belongs to all
feature sets that read it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import MissingExtraError, UnknownFeatureError
from feature_platform.orchestration import statistics_metadata
from feature_platform.orchestration.assets import live_key
from feature_platform.orchestration.event_log import POOL
from feature_platform.orchestration.feature_log import feature_log_key
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.skipped import skipped

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.judge import StatisticsReport

STATISTICS = "statistics"
Log = Callable[[str], None]


def statistics_check_key(name: str) -> dg.AssetCheckKey:
    """Return the key of a list's check."""
    return dg.AssetCheckKey(asset_key=feature_log_key(name), name=STATISTICS)


def event_statistics_check_key(name: str) -> dg.AssetCheckKey:
    """Return the key of a feature set's check."""
    return dg.AssetCheckKey(asset_key=live_key(name), name=STATISTICS)


def statistics_check(listed: FeatureList) -> dg.AssetChecksDefinition:
    """Make the check of what was served from a list; a run in which a limit is passed fails."""

    def ask(platform: Platform, log: Log) -> "StatisticsReport | None":
        return platform.statistics(listed.name, log)

    return _check(
        f"statistics_{listed.name}",
        statistics_check_key(listed.name),
        "What was served on the newest day that is over is within the limits of the list, also "
        "compared with an earlier day.",
        ask,
        "nothing that was served is archived",
    )


def event_statistics_check(featureset: FeatureSet) -> dg.AssetChecksDefinition:
    """Make the check of what a feature set takes of its events; as that of a list."""

    def ask(platform: Platform, log: Log) -> "StatisticsReport | None":
        return platform.event_statistics(featureset.name, log)

    return _check(
        f"event_statistics_{featureset.name}",
        event_statistics_check_key(featureset.name),
        "Each FILTER matches events of the newest day that is over, and what is aggregated of them "
        "is within the limits of the feature set, also compared with an earlier day.",
        ask,
        f"no event of source {featureset.source.name} is archived",
    )


def _check(
    name: str,
    key: dg.AssetCheckKey,
    description: str,
    ask: Callable[[Platform, Log], "StatisticsReport | None"],
    nothing: str,
) -> dg.AssetChecksDefinition:
    """Make a check.

    Args:
        name: Of its op.
        key: Its own.
        description: What is right.
        ask: Returns the statistics; None if nothing is archived.
        nothing: What is said then.
    """
    spec = dg.AssetCheckSpec(name=STATISTICS, asset=key.asset_key, description=description)

    @dg.multi_asset_check(name=name, specs=[spec], pool=POOL)
    def statistics(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            found = ask(platform, context.log.info)
        except (UnknownFeatureError, MissingExtraError) as error:
            yield skipped(str(error), key)
            return
        if found is None:
            yield skipped(nothing, key)
            return
        numbers = statistics_metadata.numbers(found)
        seen = dg.AssetObservation(key.asset_key, metadata=numbers)
        context.op_execution_context.log_event(seen)
        yield statistics_metadata.judged(found, key.asset_key)
        if found.status == "red":
            raise dg.Failure("\n".join(found.findings), allow_retries=False)

    return statistics
