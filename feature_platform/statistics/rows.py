"""The rows that the statistics of a day are of: a port, and what was served from a list.

`event_days` has the other case: what the events of a day are to a feature set.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from feature_platform.feature_log.read import ArrowFolder, ServedLog
from feature_platform.feature_log.schemas import is_key
from feature_platform.feature_log.tables import INSTANT
from feature_platform.statistics.column import Kind, Role, kind_of

FOLDER = "statistics"
OWN = "fp_"
"""In front of the columns that the feature log adds."""
ABOUT = ("fp_status", "fp_age_ms")
"""Those of them that have statistics, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Some rows of one column."""

    name: str
    role: Role
    values: pa.Array | None
    """None: the rows themselves are all there is."""
    rows: int
    seen: int = 0
    """Events among which the rows were looked for; 0: nobody looked."""

    @property
    def kind(self) -> Kind:
        """How its values are counted."""
        return "event" if self.values is None else kind_of(self.values.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows of a day."""

    last_ms: int
    """The newest of their instants."""
    columns: Sequence[Measured]


class DayRows(Protocol):
    """Rows by day, and where statistics of them are kept."""

    @property
    def folder(self) -> ArrowFolder:
        """Where statistics are kept."""
        ...

    @property
    def kept(self) -> str:
        """The folder of the days below it."""
        ...

    @property
    def meaning(self) -> str:
        """What rows depend on beside files: statistics of another meaning are computed again."""
        ...

    def dates(self) -> Mapping[str, tuple[str, ...]]:
        """Return the files that may have rows of each date, UTC, such as `2026-12-01`."""
        ...

    def records(self, files: Collection[str]) -> int:
        """Return how many records files have."""
        ...

    def sample(self, files: Collection[str]) -> int:
        """Return of how many rows one is measured, if these are all files of a day; 1: all are."""
        ...

    def batches(self, date: str, files: Collection[str], sample: int) -> Iterator[Batch]:
        """Yield the rows of a date that are in some files.

        Raises:
            EventLogError: A file is missing.
        """
        ...

    def nothing(self, date: str, there: str) -> str:
        """Say that nothing of a date is archived, and what to do.

        Args:
            date: That was asked for.
            there: Which dates there are, in words.
        """
        ...


class ServedRows:
    """Implements `DayRows` by the archived feature log of a list."""

    kept = FOLDER
    meaning = ""

    def __init__(self, log: ServedLog) -> None:
        """Use a log."""
        self.log = log

    @property
    def folder(self) -> ArrowFolder:
        """The log's."""
        return self.log.folder

    def dates(self) -> Mapping[str, tuple[str, ...]]:
        """Return the files of each date."""
        return self.log.dates()

    def records(self, files: Collection[str]) -> int:
        """Return how many rows files have."""
        return sum(self.log.log.files[path].records for path in files)

    def sample(self, files: Collection[str]) -> int:  # noqa: ARG002 (the port's)
        """Return that all rows are measured: the feature log is a sample already."""
        return 1

    def batches(self, date: str, files: Collection[str], sample: int) -> Iterator[Batch]:  # noqa: ARG002
        """Yield the rows of some files; see the port."""
        for path in sorted(files):
            for batch in self.log.rows_of(path, _is_measured):
                if len(batch):
                    yield _served(batch)

    def nothing(self, date: str, there: str) -> str:
        """Say that nothing was served; see the port."""
        name = self.log.name
        return (
            f"nothing that was served from list {name} on {date} is archived ({there}); "
            f"to archive what was logged since: fp archive feature_log/{name}"
        )


def _is_measured(name: str) -> bool:
    return not name.startswith(OWN) or name in ABOUT or name == INSTANT


def _served(batch: pa.RecordBatch) -> Batch:
    columns = [
        Measured(name=field.name, role=_role(field), values=values, rows=len(values))
        for field, values in zip(batch.schema, batch.columns, strict=True)
        if field.name != INSTANT
    ]
    return Batch(last_ms=pc.max(batch.column(INSTANT)).as_py(), columns=columns)


def _role(field: pa.Field) -> Role:
    if field.name.startswith(OWN):
        return "log"
    return "key" if is_key(field) else "feature"
