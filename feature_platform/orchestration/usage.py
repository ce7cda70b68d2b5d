"""The check `usage` of `live/<fs>`: what its features cost, and who uses them. Wiring only.

What is in no list is shown; a warning is what lists ask for in vain. It fails no run.
"""

from collections.abc import Iterator

import dagster as dg

from feature_platform.definition.model import FeatureSet
from feature_platform.errors import FeaturePlatformError
from feature_platform.orchestration import usage_metadata
from feature_platform.orchestration.assets import live_key
from feature_platform.orchestration.event_log import POOL
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.skipped import skipped
from feature_platform.orchestration.usage_metadata import USAGE


def usage_check_key(name: str) -> dg.AssetCheckKey:
    """Return the key of a feature set's check."""
    return dg.AssetCheckKey(asset_key=live_key(name), name=USAGE)


def usage_check(featureset: FeatureSet) -> dg.AssetChecksDefinition:
    """Make the check that shows what the features of a feature set cost, and who uses them."""
    key = live_key(featureset.name)
    spec = dg.AssetCheckSpec(
        name=USAGE,
        asset=key,
        description="What each served name costs, which lists use it, and what was served of it "
        "on the last days; a warning if one was never served, always null or constant.",
    )

    @dg.multi_asset_check(name=f"{USAGE}_{featureset.name}", specs=[spec], pool=POOL)
    def usage(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            found = platform.usage(featureset.name, context.log.info)
        except (FeaturePlatformError, OSError) as error:
            yield skipped(str(error), usage_check_key(featureset.name))
            return
        seen = dg.AssetObservation(key, metadata=usage_metadata.numbers(found))
        context.op_execution_context.log_event(seen)
        yield usage_metadata.shown(found, key)

    return usage
