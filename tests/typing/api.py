"""How rankers and testers use the platform; type-checked with the rest, never run."""

import asyncio
from typing import Literal, assert_type

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.model import FeatureSet, Source
from feature_platform.rows.partials import Value
from feature_platform.serving import (
    CacheSettings,
    CacheStats,
    FeatureClient,
    FeatureMatrix,
    Limits,
    PreparedFeatures,
    Receipt,
    Tls,
)
from feature_platform.testing import ManualClock, Mix, Oracle, RawEvent, generate_events
from feature_platform.tiles.layout import Layout


def rank(candidates: list[int]) -> NDArray[np.float64]:
    """Read features of posts, now."""
    with FeatureClient.connect(
        ["10.0.0.1:9042", "10.0.0.2:9042"],
        user="fp_service",
        password="from the environment",
        limits=Limits(entities_max=5_000),
        tls=Tls(ca_file="/etc/ssl/store.pem"),
    ) as client:
        prepared = client.prepare(
            ["post_engagement.views_30m", "post_engagement.language"], edge="5m"
        )
        assert_type(prepared, PreparedFeatures)
        matrix = prepared.get(candidates)
        assert_type(matrix, FeatureMatrix)
        assert_type(matrix.objects["post_engagement.language"], list[Value])
        assert_type(matrix.status[0], Literal["ok", "no_data", "unavailable"])
        return matrix.values


def rank_feed(client: FeatureClient, posts: list[int]) -> NDArray[np.float32]:
    """Read a stored list, of a user and the candidates, as a tensor's matrix."""
    prepared = client.prepare(list="feed_ranker", version=2, max_age={"language": "7d"})
    matrix = prepared.get({"user_id": 17, "post_id": posts})
    assert_type(matrix.states, NDArray[np.str_])
    assert_type(matrix.present, NDArray[np.bool_])
    taken: NDArray[np.float32] = np.from_dlpack(matrix)
    return taken


def rank_often(posts: list[int]) -> CacheStats | None:
    """Keep tiles in memory, and ask for newer ones where it matters."""
    settings = CacheSettings(bytes_max=1 << 30, max_staleness_ms=2_000)
    with FeatureClient.connect(
        ["10.0.0.1:9042"], user="fp_service", password="from the environment", cache=settings
    ) as client:
        matrix = client.prepare(list="feed_ranker").get(posts, max_staleness_ms=200)
        assert_type(matrix.ages_ms, NDArray[np.int64] | None)
        return client.cache_stats()


def look_back(client: FeatureClient) -> tuple[Receipt, ...] | None:
    """Read what was served at a past instant, with receipts, without blocking."""
    prepared = client.prepare(featureset="post_engagement")
    return asyncio.run(prepared.aget(["7"], at="2026-01-31T15:37:00Z", explain=True)).receipts


def recount(featureset: FeatureSet, source: Source, layout: Layout) -> dict[str, Value]:
    """Let the oracle say what must be served."""
    clock = ManualClock(1_700_000_000_000)
    mix = Mix(count=1_000, entities=10, end_ms=clock.now_ms(), span_ms=3_600_000)
    events: list[RawEvent] = list(generate_events(source, featureset.entity, mix, seed=1))
    oracle = Oracle(featureset, layout, events)
    return oracle.served(oracle.entities[0], clock.now_ms())
