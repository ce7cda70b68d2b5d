"""What a child that runs Spark is asked about the events of a day: what a feature set takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from feature_platform.plan.job_source import JobSource


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRowsTask:
    """Write a row for each archived event of some time; see `definition.event_rows`."""

    what: ClassVar = "event_rows"
    source: JobSource
    entity: str
    sql: str
    """Over single events, for Spark."""
    columns: Sequence[str]
    """Of its answer, that are wanted."""
    date: str
    """UTC; its events alone."""
    files: Sequence[str]
    """Of the source's log, that may have some."""
    history: Sequence[str]
    """Of the imported history, so."""
    sample: int
    """Of how many records one is read, by a hash of partition and offset."""
    rows: str
    """Address of the folder that gets the rows: the columns, and the event's time."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**data, "source": self.source.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EventRowsTask":
        """Read what `to_json` wrote."""
        return cls(**{**data, "source": JobSource.from_json(data["source"])})
