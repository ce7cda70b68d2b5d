"""What a child that runs Spark is asked about labels: which events followed each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from feature_platform.plan.job_source import JobSource

KEY = "key"
"""Begins the columns of a question that hold its keys: `key0`, `key1`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsTask:
    """Say what the events after each row make of its labels."""

    what: ClassVar = "labels"
    source: JobSource
    until: Mapping[str, int]
    """First offset that does not count, by "topic/partition"; empty: all that is archived."""
    keys: Sequence[str]
    """The source's columns with the keys; of a question they are in `key0` and so on."""
    request: str
    """The source's column with the id of the answer; empty: it is not compared."""
    first_ms: int
    """The earliest instant that is asked about; after `last_ms` if none is."""
    last_ms: int
    """The latest one."""
    within_ms: int
    """Events count that happened at the instant or less than this after it."""
    where: str
    """Which events count, for Spark; empty: all."""
    aggregates: Sequence[str]
    """For Spark; the results are `__a0` and so on."""
    values: Sequence[str]
    """Over these, for Spark; the labels."""
    questions: str
    """Address of a Parquet file of `row`, `instant`, `request` and the keys."""
    answers: str
    """Address of the folder that gets `row`, `events` and `v0` and so on, in files by row."""
    rows: int
    """How many rows there are; each asks at most once."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**data, "source": self.source.to_json(), "until": dict(self.until)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LabelsTask":
        """Read what `to_json` wrote."""
        return cls(**{**data, "source": JobSource.from_json(data["source"])})
