"""Assets `event_log/feature_log/<list>` archive what was served from lists. Wiring only."""

import dagster as dg

from feature_platform.definition.feature_list import FeatureList
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.orchestration import metadata
from feature_platform.orchestration.event_log import POOL
from feature_platform.orchestration.resources import Platform


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
