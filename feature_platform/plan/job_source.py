"""A source as a job reads it: in the job spec, in the snapshot, and for the event log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from feature_platform.definition.model import ColumnType, Source, TimeUnit, TypeName
from feature_platform.plan.job_history import JobHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column that a query reads."""

    name: str
    type: TypeName
    precision: int = 0
    """With `scale` for DECIMAL, 0 elsewhere."""
    scale: int = 0

    @classmethod
    def of(cls, name: str, written: str) -> "SourceColumn":
        """Return a column of a type as it is written in YAML."""
        from feature_platform.definition.source import parse_type  # loads YAML; serving does not

        kind = parse_type(written)
        return cls(name=name, type=kind.name, precision=kind.precision, scale=kind.scale)

    def to_json(self) -> dict[str, Any]:
        """Return the form that the kernel's parser reads."""
        decimal = {"precision": self.precision, "scale": self.scale}
        return {"name": self.name, "type": self.type} | (decimal if self.type == "DECIMAL" else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """What the kernel's parser makes events of; its `SourceSchema` reads the same names."""

    name: str
    topic: str
    format: Literal["json"]
    event_time: str
    """The column that holds an event's time."""
    event_time_unit: TimeUnit
    max_future_ms: int
    """How much later than the broker's time an event may be."""
    max_past_ms: int
    columns: tuple[SourceColumn, ...]
    """Those that are read alone; what others hold makes no difference."""
    sum_scales: Mapping[str, int] = field(default_factory=dict)
    """Digits after the point of what is summed, by column: beyond a sum's range an event is a dead
    letter."""
    history: JobHistory | None = None
    """Where its events from before the topic took over are."""

    @classmethod
    def of(cls, source: Source, columns: Iterable[tuple[str, ColumnType]]) -> "JobSource":
        """Return a source of which some columns are read."""
        return cls(
            name=source.name,
            topic=source.topic,
            format=source.format,
            event_time=source.event_time,
            event_time_unit=source.event_time_unit,
            max_future_ms=source.max_future_ms,
            max_past_ms=source.max_past_ms,
            columns=tuple(
                SourceColumn(name=name, type=kind.name, precision=kind.precision, scale=kind.scale)
                for name, kind in columns
            ),
            history=JobHistory.of(source),
        )

    @classmethod
    def timing(cls, source: Source) -> "JobSource":
        """Return a source as the event log reads it: an event's time alone is of interest."""
        return cls.of(source, [each for each in source.columns if each[0] == source.event_time])

    def continues_history_of(self, before: "JobSource") -> bool:
        """Return whether the columns that were read before have the same history as then."""
        names = {column.name for column in before.columns}
        new, old = self.history, before.history
        return (new and new.meaning(names)) == (old and old.meaning(names))

    def column(self, name: str) -> SourceColumn | None:
        """Return the column of a name; None if it is not read."""
        return next((column for column in self.columns if column.name == name), None)

    def with_columns(self, more: Iterable[SourceColumn]) -> "JobSource":
        """Return the same source with more columns."""
        return replace(self, columns=(*self.columns, *more))

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec and in the registry."""
        scales = {"sum_scales": dict(self.sum_scales)} if self.sum_scales else {}
        history = {"history": self.history.to_json()} if self.history else {}
        return {
            "name": self.name,
            "topic": self.topic,
            "format": self.format,
            "event_time": self.event_time,
            "event_time_unit": self.event_time_unit,
            "max_future_ms": self.max_future_ms,
            "max_past_ms": self.max_past_ms,
            "columns": [column.to_json() for column in self.columns],
            **scales,
            **history,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobSource":
        """Read what `to_json` wrote."""
        columns = tuple(SourceColumn(**each) for each in data["columns"])
        history = data.get("history")
        read = JobHistory.from_json(history) if history else None
        return cls(**{**data, "columns": columns, "history": read})
