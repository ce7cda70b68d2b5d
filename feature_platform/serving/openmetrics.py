"""What a client has counted, for Prometheus: a collector, or OpenMetrics text.

The library of Prometheus is an extra, `metrics`: it is imported when somebody asks.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from feature_platform.extras import require
from feature_platform.serving.answer_log import LogStats
from feature_platform.serving.cache_stats import CacheStats
from feature_platform.serving.circuit import Circuit
from feature_platform.serving.meters import BOUNDS_S, Counts, Histogram

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from feature_platform.serving.client import FeatureClient

CACHE_COUNTERS: Mapping[str, str] = {
    "hits": "Entities of requests that were answered without a read.",
    "refreshes": "Entities of which something was kept, and the head was read.",
    "misses": "Entities of which nothing was kept.",
    "joined": "Entities that another request was reading already.",
    "ahead": "Entities that were read again before a request had to.",
    "rows_read": "Rows that were read for the cache.",
    "evicted": "Entries dropped for want of room.",
    "answers": "Entities that were answered, each with an age.",
    "absent": "Of the answers, entities that have no rows.",
}
"""Fields of `CacheStats` that only grow, and what they mean."""


class ReaderCollector:
    """Hands a client's counts to a registry of Prometheus; see its `Collector`."""

    def __init__(self, client: "FeatureClient") -> None:
        """Watch a client.

        Raises:
            MissingExtraError: The library of Prometheus is not installed.
        """
        require("FeatureClient.metrics", "metrics")
        self._client = client

    def describe(self) -> list[Any]:
        """Return nothing: names are known once something was counted."""
        return []

    def collect(self) -> "Iterator[Metric]":
        """Yield all that is known."""
        counts = self._client.meters.counts()
        yield from _requests(counts)
        yield from _store(counts, self._client.circuit, self._client.registry_age_s)
        stats = self._client.cache_stats()
        if stats is not None:
            yield from _cache(stats)
        if self._client.log is not None:
            yield from _log(self._client.log.stats())


def openmetrics(client: "FeatureClient") -> str:
    """Return what a client has counted as OpenMetrics text.

    Raises:
        MissingExtraError: The library of Prometheus is not installed.
    """
    collector = ReaderCollector(client)
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import generate_latest

    registry = CollectorRegistry()
    registry.register(collector)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


def _requests(counts: Counts) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    seconds = HistogramMetricFamily(
        "fp_reader_request_seconds", "Requests that were answered, by list.", labels=["list"]
    )
    for name, histogram in counts.requests.items():
        seconds.add_metric([name], *_buckets(histogram))
    yield seconds
    refused = CounterMetricFamily(
        "fp_reader_refused_requests", "Requests that raised an error, by list.", labels=["list"]
    )
    for name, count in counts.refused.items():
        refused.add_metric([name], count)
    yield refused
    rows = CounterMetricFamily(
        "fp_reader_rows", "Rows of answers, by list and status.", labels=["list", "status"]
    )
    for (name, status), count in counts.rows.items():
        rows.add_metric([name, status], count)
    yield rows
    stages = HistogramMetricFamily(
        "fp_reader_stage_seconds", "Time in each stage of a request.", labels=["stage"]
    )
    for stage, histogram in counts.stages.items():
        stages.add_metric([stage], *_buckets(histogram))
    yield stages


def _store(counts: Counts, circuit: Circuit, registry_age_s: float) -> "Iterator[Metric]":
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    reads = HistogramMetricFamily(
        "fp_reader_store_read_seconds", "Reads of the store, of many entities each."
    )
    reads.add_metric([], *_buckets(counts.reads))
    yield reads
    yield CounterMetricFamily(
        "fp_reader_store_rows", "Rows that the store has sent.", value=counts.stored_rows
    )
    yield CounterMetricFamily(
        "fp_reader_store_failed_entities",
        "Entities of reads that the store did not answer.",
        value=counts.failed_entities,
    )
    yield GaugeMetricFamily(
        "fp_reader_circuit_open",
        "1 while reads fail at once because the store did not answer.",
        value=int(circuit.state == "open"),
    )
    yield CounterMetricFamily(
        "fp_reader_circuit_openings", "How often that has begun.", value=circuit.opened
    )
    yield CounterMetricFamily(
        "fp_reader_circuit_refused_reads", "Reads that failed at once.", value=circuit.refused
    )
    yield GaugeMetricFamily(
        "fp_reader_registry_age_seconds",
        "How long ago the registry last answered what is deployed.",
        value=registry_age_s,
    )


def _cache(stats: CacheStats) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, text in CACHE_COUNTERS.items():
        yield CounterMetricFamily(f"fp_reader_cache_{name}", text, value=getattr(stats, name))
    yield CounterMetricFamily(
        "fp_reader_cache_age_seconds", "Ages of all answers together.", stats.age_ms_sum / 1000
    )
    yield GaugeMetricFamily(
        "fp_reader_cache_age_max_seconds", "The highest age of an answer.", stats.age_ms_max / 1000
    )
    yield GaugeMetricFamily("fp_reader_cache_entries", "Entities that are kept.", stats.entries)
    yield GaugeMetricFamily("fp_reader_cache_bytes", "About what they take.", stats.bytes)


def _log(stats: LogStats) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield CounterMetricFamily(
        "fp_reader_log_sampled_rows", "Rows of answers to be logged.", value=stats.sampled_rows
    )
    yield CounterMetricFamily(
        "fp_reader_log_sent_rows", "Of these, rows that the broker has.", value=stats.sent_rows
    )
    dropped = CounterMetricFamily(
        "fp_reader_log_dropped_rows", "Of these, rows that were dropped, by why.", labels=["reason"]
    )
    for reason, rows in stats.dropped_rows.items():
        dropped.add_metric([reason], rows)
    yield dropped
    yield GaugeMetricFamily(
        "fp_reader_log_waiting_bytes", "About what answers take that wait.", stats.waiting_bytes
    )


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Return cumulative counts by upper bound, as Prometheus wants them, and the sum."""
    total, made = 0, []
    for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], histogram.counts, strict=True):
        total += count
        made.append((bound, float(total)))
    return made, histogram.sum_s
