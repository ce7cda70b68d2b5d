"""The check `late_events` of `event_log/<source>`: a picture of how late events came. Wiring only.

It judges nothing, and fails no run: an archive that is complete stays green, whatever becomes of
the picture.
"""

from collections.abc import Iterator

import dagster as dg

from feature_platform.definition.model import Source
from feature_platform.errors import FeaturePlatformError
from feature_platform.orchestration import late_metadata
from feature_platform.orchestration.event_log import POOL, event_log_key
from feature_platform.orchestration.late_metadata import LATE_EVENTS
from feature_platform.orchestration.resources import Platform
from feature_platform.orchestration.skipped import skipped


def late_check_key(name: str) -> dg.AssetCheckKey:
    """Return the key of a source's check."""
    return dg.AssetCheckKey(asset_key=event_log_key(name), name=LATE_EVENTS)


def late_check(source: Source) -> dg.AssetChecksDefinition:
    """Make the check that shows how late the events of a source came."""
    key = event_log_key(source.name)
    spec = dg.AssetCheckSpec(
        name=LATE_EVENTS,
        asset=key,
        description="How late events of the newest days reached the broker, for how many the tile "
        "had ended by then, and for how many it was not kept any more. Nothing is judged.",
    )

    @dg.multi_asset_check(name=f"{LATE_EVENTS}_{source.name}", specs=[spec], pool=POOL)
    def late_events(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            days = platform.late_events(source.name, context.log.info)
        except (FeaturePlatformError, OSError) as error:
            yield skipped(str(error), late_check_key(source.name))
            return
        seen = dg.AssetObservation(key, metadata=late_metadata.numbers(days[-1]))
        context.op_execution_context.log_event(seen)
        yield late_metadata.measured(days, key)

    return late_events
