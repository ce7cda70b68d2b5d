"""Serving: features of entities, now or as of a past instant, from the tiles in the store."""

from feature_platform.serving.cache import CacheSettings
from feature_platform.serving.cache_stats import CacheStats
from feature_platform.serving.client import FeatureClient, Limits
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.prepared import PreparedFeatures
from feature_platform.serving.receipt import Receipt
from feature_platform.transport import Tls

__all__ = [
    "CacheSettings",
    "CacheStats",
    "FeatureClient",
    "FeatureMatrix",
    "Limits",
    "PreparedFeatures",
    "Receipt",
    "Tls",
]
