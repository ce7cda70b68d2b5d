"""What a service counts and measures, as Prometheus reads it; all workers of a host together.

Where the supervisor has set PROMETHEUS_MULTIPROC_DIR, each worker writes into that folder, and
whichever is asked adds up what all of them have written.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from feature_platform.service.bytes_cache import BytesStats
from feature_platform.service.log_meters import LogMeters
from feature_platform.serving.answer_log import LogStats
from feature_platform.serving.meters import BOUNDS_S

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the client library of Prometheus."""
Stage = Literal["parse", "wait", "read", "encode"]
"""parse: of HTTP bodies; wait: for a thread; read: the store and adding up; encode: the answer."""
ROWS = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000)


class Metrics:
    """The meters of one process. Mutable; safe for use by threads."""

    def __init__(self) -> None:
        """Begin at zero, in a registry of its own."""
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "fp_service_requests",
            "Requests by door, list and code of the answer.",
            ("door", "list", "code"),
            registry=own,
        )
        self._seconds = Histogram(
            "fp_service_request_seconds",
            "From a request's arrival to its answer.",
            ("door",),
            buckets=BOUNDS_S,
            registry=own,
        )
        self._stages = Histogram(
            "fp_service_stage_seconds",
            "Time in each stage of a request.",
            ("stage",),
            buckets=BOUNDS_S,
            registry=own,
        )
        self._rows = Histogram(
            "fp_service_rows", "Rows of an answer.", ("list",), buckets=ROWS, registry=own
        )
        self._unavailable = Counter(
            "fp_service_unavailable_rows",
            "Rows that were answered as unavailable.",
            ("list",),
            registry=own,
        )
        self._under_way = Gauge(
            "fp_service_requests_under_way",
            "Requests that are computed or wait for it.",
            multiprocess_mode="livesum",
            registry=own,
        )

        self._kept_bytes = Gauge(
            "fp_service_kept_bytes",
            "Memory of entities' parts of answers that are kept as they are sent.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._entities = Counter(
            "fp_service_entities",
            "Entities that were answered by gRPC: from kept bytes (hit), or computed (miss).",
            ("outcome",),
            registry=own,
        )
        self._dropped = Counter(
            "fp_service_kept_dropped",
            "Kept parts of answers that made room, or whose list or deployment changed.",
            registry=own,
        )
        self._seen = BytesStats(size=0, hits=0, misses=0, dropped=0)
        self._log = LogMeters(own)
        self._lock = threading.Lock()

    def watch(self, stats: Callable[[], LogStats]) -> None:
        """Also show what a feature log has counted, as of each answer and look."""
        self._log.stats = stats

    def keeps(self, stats: Callable[[], BytesStats]) -> None:
        """Take over what the cache of entities' bytes has counted."""
        with self._lock:
            before, now = self._seen, stats()
            self._seen = now
            self._kept_bytes.set(now.size)
            self._entities.labels("hit").inc(now.hits - before.hits)
            self._entities.labels("miss").inc(now.misses - before.misses)
            self._dropped.inc(now.dropped - before.dropped)

    def answered(self, door: str, list_: str, code: str, seconds: float) -> None:
        """Count a request that was answered, or whose client hung up."""
        self._log.take()
        self._requests.labels(door, list_, code).inc()
        self._seconds.labels(door).observe(seconds)

    def rows(self, list_: str, count: int, unavailable: int) -> None:
        """Count the rows of an answer."""
        self._rows.labels(list_).observe(count)
        self._unavailable.labels(list_).inc(unavailable)

    def took(self, stage: Stage, seconds: float) -> None:
        """Note how long a stage took."""
        self._stages.labels(stage).observe(seconds)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Measure a stage, also one that fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.took(stage, time.monotonic() - begun)

    def begun(self) -> None:
        """Count a request as under way."""
        self._under_way.inc()

    def ended(self) -> None:
        """Count it no more."""
        self._under_way.dec()

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all of it in the format that a reader accepts, and the type of that.

        Args:
            accept: The header of the request; OpenMetrics, or the older text format.
        """
        self._log.take()
        registry = self._registry
        if os.environ.get(FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        encoder, kind = choose_encoder(accept)
        return encoder(registry), kind
