"""Rankers of the serving benchmark that use a build of the platform: this one or an older one.

Only what builds since 41bd4f7 have alike is imported at the top; see `serving_ranker`.
"""

import inspect
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.serving_ranker import Floats, OfMatrices, Ranker, Spec
from feature_platform.definition.loading import load_project
from feature_platform.registry.cql import CqlRegistry
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import FeatureClient
from feature_platform.settings import StoreSettings
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles
from feature_platform.testing.clock import ManualClock
from feature_platform.testing.deployed import snapshot_of

DEADLINE_MS = 60_000
"""Of a request, where a build has deadlines: a slow answer is a figure here, not a failure."""
REQUEST_MS, READ_MS = "ms a request", "ms of it reading"
PASSWORD = "BENCH_PASSWORD"  # noqa: S105 - the variable's name


def logged_in(spec: Spec) -> Connection:
    """Log in as rankers do."""
    settings = StoreSettings(host="127.0.0.1", port=spec["port"])
    return connect(settings, "fp_service", os.environ[PASSWORD])


class Build(OfMatrices):
    """The client of a build. Mutable: begins again with an empty cache."""

    def __init__(self, spec: Spec) -> None:
        """Log in.

        Args:
            spec: `definitions`: a folder; `featureset`; `features`; `now_ms`: what the clock shows;
                `cache_bytes`, if there is a cache; `refresh_ms`, if the registry is the store's.
        """
        self._spec = spec
        self._connection = logged_in(spec)
        self._clock = ManualClock(spec["now_ms"])
        self._memory = MemoryRegistry(self._clock)
        project = load_project(Path(spec["definitions"])).checked()
        self._memory.save(snapshot_of(project.featuresets[spec["featureset"]]))
        self._client: FeatureClient | None = None
        self.begin()

    def begin(self) -> None:
        """Make another client."""
        if self._client is not None:
            self._client.close()
        options: dict[str, Any] = {}
        if "cache_bytes" in self._spec:
            from feature_platform.serving import CacheSettings

            options["cache"] = CacheSettings(bytes_max=self._spec["cache_bytes"])
        registry: Any = self._memory
        if "refresh_ms" in self._spec:
            registry = CqlRegistry(self._connection)
            options |= {"refresh_ms": self._spec["refresh_ms"], "background": True}
        client = FeatureClient(CqlTiles(self._connection), registry, clock=self._clock, **options)
        self._client, self._prepared = client, client.prepare(self._spec["features"])
        takes = inspect.signature(self._prepared.get).parameters
        self._wishes = {"deadline_ms": DEADLINE_MS} if "deadline_ms" in takes else {}

    def about(self) -> dict[str, Any]:
        """Return versions, what the cache says, and whether the compiled core is used."""
        said: dict[str, Any] = {"scylla-driver": version("scylla-driver"), "numpy": np.__version__}
        stats = getattr(self._client, "cache_stats", lambda: None)()
        if stats is not None:
            from feature_platform.serving.compiled import loaded

            said |= {"compiled": loaded().core is not None}
            said |= {"entries": stats.entries, "bytes": stats.bytes, "hits": stats.hits}
            said |= {"misses": stats.misses, "refreshes": stats.refreshes}
        if self._client is not None and hasattr(self._client, "metrics"):
            said |= _means_ms(self._client.metrics())
        return said


def _means_ms(metrics: str) -> dict[str, float]:
    """Return how long a request and the reads in it took on average, by a client's metrics."""
    found = dict.fromkeys((REQUEST_MS, READ_MS), 0.0)
    requests = 0.0
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("fp_reader_request_seconds_count"):
            requests += float(value)
        elif name.startswith("fp_reader_request_seconds_sum"):
            found[REQUEST_MS] += 1e3 * float(value)
        elif name == "fp_reader_store_read_seconds_sum":
            found[READ_MS] += 1e3 * float(value)
    return {name: total / requests for name, total in found.items()} if requests else {}


class Bare:
    """The reading alone, nothing made of the rows: what is left is the client's."""

    def __init__(self, spec: Spec) -> None:
        """Log in."""
        self._connection = logged_in(spec)
        self._tiles, self._table = CqlTiles(self._connection), spec["table"]
        self._keys = [(level, start_ms) for level, start_ms in spec["keys"]]
        self._statement = (
            f"SELECT entity, level, start, payload, WRITETIME(payload) FROM fp.{spec['table']} "
            "WHERE entity IN ? AND (level, start) IN ?"
        )

    def begin(self) -> None:
        """Keep nothing."""

    def ask(self, entities: Sequence[int]) -> Any:  # noqa: ANN401 - see `Ranker`
        """Return rows: of one entity by the driver, of several as the platform reads them."""
        if len(entities) > 1:
            asked = [(str(each), self._keys) for each in entities]
            return self._tiles.read_tiles(self._table, asked, timeout_s=DEADLINE_MS / 1000)
        return self._connection.run(self._statement, (list(map(str, entities)), self._keys))

    def values(self, answer: Any) -> Floats:  # noqa: ANN401, ARG002 - see `Ranker`
        """Return no values: there are none."""
        return np.zeros((0, 0))

    def about(self) -> dict[str, Any]:
        """Return versions."""
        return {"scylla-driver": version("scylla-driver")}


def ranker(spec: Spec) -> Ranker:
    """Make the ranker that a spec names."""
    return Bare(spec) if spec.get("bare") else Build(spec)
