"""What the feature log of a worker has counted, as Prometheus reads it."""

import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from feature_platform.serving.answer_log import LogStats


class LogMeters:
    """Takes over a log's counts. Mutable; safe for use by threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Begin at zero, without a log."""
        self.stats: Callable[[], LogStats] = LogStats
        """What has been counted; of no log, nothing."""
        self._rows = Counter(
            "fp_service_log_rows",
            "Rows for the feature log: sampled, and acknowledged by the broker (sent).",
            ("outcome",),
            registry=registry,
        )
        self._dropped = Counter(
            "fp_service_log_dropped_rows",
            "Sampled rows that were dropped, by reason.",
            ("reason",),
            registry=registry,
        )
        self._waiting = Gauge(
            "fp_service_log_waiting_bytes",
            "About what answers take that are not encoded for the feature log yet.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._seen = LogStats()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Add what was counted since the last time."""
        with self._lock:
            before, now = self._seen, self.stats()
            if now == before:
                return
            self._seen = now
            self._waiting.set(now.waiting_bytes)
            self._rows.labels("sampled").inc(now.sampled_rows - before.sampled_rows)
            self._rows.labels("sent").inc(now.sent_rows - before.sent_rows)
            for reason, count in now.dropped_rows.items():
                more = count - before.dropped_rows.get(reason, 0)
                self._dropped.labels(reason).inc(more)
