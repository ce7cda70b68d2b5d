"""Feast with Redis in the serving benchmark, in an environment of its own; see `serving_ranker`.

Feast serves finished values: what the others add up from tiles was computed before it was written.
Its ordinary path reads a hash per entity, its precomputed path (`precompute_online`) one value.
`python -m bench.serving_feast SPEC VALUES` writes the values.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Int64
from feast.value_type import ValueType

from bench.serving_ranker import Floats, Ranker, Spec

VIEW, SERVICE, KEY = "posts", "ranker", "post_id"
WRITTEN_TOGETHER = 2_000


def opened(spec: Spec) -> FeatureStore:
    """Return the store.

    Args:
        spec: `redis_port`, and `folder`, where the registry is.
    """
    return FeatureStore(
        config=RepoConfig(
            project="bench",
            registry=f"{spec['folder']}/feast-registry.db",
            provider="local",
            online_store={"type": "redis", "connection_string": f"127.0.0.1:{spec['redis_port']}"},
            entity_key_serialization_version=3,
        )
    )


def fill(spec: Spec, values: Mapping[str, Any]) -> None:
    """Define the features and write their values, for both paths."""
    store = opened(spec)
    names: list[str] = spec["features"]
    post = Entity(name=KEY, join_keys=[KEY], value_type=ValueType.INT64)
    columns = {name: values["values"][:, place] for place, name in enumerate(names)}
    frame = pd.DataFrame({KEY: values["entities"], **columns}).astype("int64")
    frame["event_timestamp"] = pd.Timestamp(datetime.now(tz=UTC))
    path = Path(spec["folder"]) / "feast.parquet"
    frame.head(1).to_parquet(path)
    view = FeatureView(
        name=VIEW,
        entities=[post],
        ttl=timedelta(0),
        schema=[Field(name=KEY, dtype=Int64), *(Field(name=name, dtype=Int64) for name in names)],
        source=FileSource(path=str(path), timestamp_field="event_timestamp"),
    )
    service = FeatureService(name=SERVICE, features=[view], precompute_online=True)
    store.apply([post, view, service])
    for first in range(0, len(frame), WRITTEN_TOGETHER):
        store.write_to_online_store(VIEW, frame[first : first + WRITTEN_TOGETHER])
    store.precompute_feature_service(SERVICE)


class Feast:
    """Either path."""

    def __init__(self, spec: Spec) -> None:
        """Open the store."""
        self._store = opened(spec)
        self._names: list[str] = spec["features"]
        self._precomputed: bool = spec["precomputed"]
        self._features: Any = [f"{VIEW}:{name}" for name in self._names]
        if self._precomputed:
            self._features = self._store.get_feature_service(SERVICE)

    def begin(self) -> None:
        """Keep nothing: Feast has no cache of values."""

    def ask(self, entities: Sequence[int]) -> dict[str, list[Any]]:
        """Return columns as Feast's users get them.

        The precomputed path answers in the order of the keys, whatever was asked (feast#6805):
        it is asked in that order. Its vectors have full names, and are read by no others.
        """
        keys = sorted(entities) if self._precomputed else list(entities)
        answer = self._store.get_online_features(
            features=self._features, entity_rows={KEY: keys}, full_feature_names=True
        )
        found: dict[str, list[Any]] = answer.to_dict()
        return {**found, "asked": list(entities)}

    def values(self, answer: dict[str, list[Any]]) -> Floats:
        """Return a matrix in the order that was asked for."""
        columns = [answer[f"{VIEW}__{name}"] for name in self._names]
        rows = np.array(columns, dtype=np.float64).T
        asked = answer["asked"]
        keys = sorted(asked) if self._precomputed else asked
        places = {entity: place for place, entity in enumerate(keys)}
        return rows[[places[entity] for entity in asked]]

    def about(self) -> dict[str, Any]:
        """Return versions."""
        return {"feast": version("feast"), "redis-py": version("redis")}


def ranker(spec: Spec) -> Ranker:
    """Make it."""
    return Feast(spec)


if __name__ == "__main__":
    with np.load(sys.argv[2]) as file:
        fill(json.loads(Path(sys.argv[1]).read_text()), dict(file))
