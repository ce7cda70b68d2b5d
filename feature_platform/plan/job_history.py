"""A source's history as a job, a backfill and an import know it: in the job spec and snapshot."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_platform.definition.fingerprint import digest
from feature_platform.definition.model import Source, TableFormat

HISTORY_PARTITION = 2**31 - 1
"""Of events that come from the table; `SourceSchema.java` has the same number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumn:
    """A column of the source that the table has."""

    name: str
    type: str
    """Of the source's column, as in YAML."""
    column: str
    """The table's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHistory:
    """Where the events from before the seam are; see `definition.model.History`."""

    files: tuple[str, ...]
    format: TableFormat
    until_ms: int
    columns: tuple[HistoryColumn, ...]
    version: int
    delimiter: str
    null_value: str
    event_time: str
    event_time_unit: str
    """With `event_time` of the source: what an imported event's time rests on."""

    @classmethod
    def of(cls, source: Source) -> "JobHistory | None":
        """Return a source's history; None if it has none."""
        history = source.history
        if history is None:
            return None
        types = dict(source.columns)
        return cls(
            files=history.files,
            format=history.format,
            until_ms=history.until_ms,
            columns=tuple(
                HistoryColumn(name=name, type=str(types[name]), column=column)
                for name, column in history.columns
            ),
            version=history.version,
            delimiter=history.delimiter,
            null_value=history.null_value,
            event_time=source.event_time,
            event_time_unit=source.event_time_unit,
        )

    @property
    def id(self) -> str:
        """Names the import: other files, another mapping or another seam are another one."""
        return digest(self.to_json())

    def meaning(self, names: Collection[str]) -> str:
        """Return a digest of what it gives those who read some of the source's columns."""
        columns = tuple(each for each in self.columns if each.name in names)
        return replace(self, columns=columns).id

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec and in the registry."""
        return asdict(self) | {
            "files": list(self.files),
            "columns": [asdict(column) for column in self.columns],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobHistory":
        """Read what `to_json` wrote."""
        columns = tuple(HistoryColumn(**each) for each in data["columns"])
        return cls(**{**data, "files": tuple(data["files"]), "columns": columns})
