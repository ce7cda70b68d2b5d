"""Definitions for events of which nobody knows when the broker took them."""

from dataclasses import replace

from feature_platform.definition.model import FeatureSet
from feature_platform.testing.reference_events import LAST_TIME_MS


def without_bounds(featureset: FeatureSet) -> FeatureSet:
    """Return a definition that no event is too late or too early for."""
    source = replace(featureset.source, max_future_ms=LAST_TIME_MS, max_past_ms=LAST_TIME_MS)
    return replace(featureset, source=source)
