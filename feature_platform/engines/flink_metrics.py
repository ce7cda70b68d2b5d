"""What a job reports about itself: the kernel's metrics, as `fp status` and Dagster show them.

A job has several subtasks; each metric says how those of all subtasks make one number. A metric
that a job does not have, or that Flink has not fetched yet, is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

How = Literal["sum", "min", "max"]

OPERATORS = ("intake", "kernel")
"""Names of the operators whose metrics these are, and parts of their vertices' names."""

METRICS: Mapping[str, How] = {
    "attempt": "max",
    "recovered": "min",
    "state_hits": "sum",
    "state_misses": "sum",
    "read_back_rows": "sum",
    "undo_rows_written": "sum",
    "undone_rows": "sum",
    "unresolved_rows": "sum",
    "fenced": "sum",
    "flush_entities": "sum",
    "flush_ms": "max",
    "reads_in_flight": "sum",
    "reads_in_flight_limit": "sum",
    "read_latency_ms": "max",
    "writes_in_flight": "sum",
    "written_rows": "sum",
    "cut_age_ms": "max",
    "cut_failures": "sum",
    "store_retries": "sum",
    "dead_letters": "sum",
    "dead_letters_cut": "sum",
    "dead_letters_lost": "sum",
    "long_texts": "sum",
    "in_history": "sum",
}


class MetricsReader(Protocol):
    """Flink, as far as its metrics are concerned."""

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Return an operator's metrics over all subtasks; unknown ones are left out."""
        ...


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """One job's metrics at one moment."""

    values: Mapping[str, float]

    def whole(self, name: str) -> int | None:
        """Return a metric as a whole number; None if it is not there."""
        value = self.values.get(name)
        return None if value is None else round(value)

    @property
    def hot(self) -> float | None:
        """The share of entities that were found in the job's state; None before the first."""
        hits, misses = (self.values.get(name, 0.0) for name in ("state_hits", "state_misses"))
        return hits / (hits + misses) if hits + misses else None

    def to_json(self) -> dict[str, int | float | None]:
        """Return all of them, null for one that is not there, and the share of hot entities."""
        hot = self.hot
        return {name: self.whole(name) for name in METRICS} | {
            "hot": None if hot is None else round(hot, 4)
        }


def job_metrics(reader: MetricsReader, job_id: str) -> JobMetrics:
    """Ask for a running job's metrics.

    Raises:
        ServerError: Flink does not answer.
    """
    values: dict[str, float] = {}
    for operator in OPERATORS:
        for name, value in reader.metrics(job_id, operator, METRICS).items():
            known = values.get(name)
            values[name] = value if known is None else _combined(METRICS[name], known, value)
    return JobMetrics(values)


def _combined(how: How, one: float, other: float) -> float:
    match how:
        case "sum":
            return one + other
        case "min":
            return min(one, other)
        case "max":
            return max(one, other)
