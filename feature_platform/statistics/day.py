"""The statistics of one day of a feature list: of each column over the rows served on it.

Rows are read some at a time, so that the length of a day does not matter.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from feature_platform.feature_log.read import ServedLog
from feature_platform.feature_log.schemas import is_key
from feature_platform.feature_log.tables import INSTANT
from feature_platform.statistics.column import ColumnStatistics, Kind, Role, kind_of

OWN = "fp_"
"""In front of the columns that the feature log adds."""
ABOUT = ("fp_status", "fp_age_ms")
"""Those of them that have statistics, too."""

Columns = dict[tuple[str, Kind], ColumnStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """What is known of a day."""

    date: str
    """UTC, such as `2026-12-01`."""
    files: frozenset[str]
    """The files of the log whose rows these are."""
    columns: Columns
    """By name and kind: a feature whose type has changed is there once for each kind."""

    def shown(self) -> dict[str, ColumnStatistics]:
        """Return the columns by the name that they are shown under.

        The newest kind of a column has its name alone, each other one the name with the kind, such
        as `spend_1d (text)`.
        """
        newest = sorted(self.columns.values(), key=lambda each: -each.last_ms)
        found: dict[str, ColumnStatistics] = {}
        for each in newest:
            found[f"{each.name} ({each.kind})" if each.name in found else each.name] = each
        return {name: found[name] for name in _in_order(found, self.columns)}

    def merged(self, other: "DayStatistics") -> "DayStatistics":
        """Return the statistics of the rows of both, which are different ones."""
        columns = dict(self.columns)
        for key, more in other.columns.items():
            known = columns.get(key)
            columns[key] = known.merged(more) if known else more
        return DayStatistics(date=self.date, files=self.files | other.files, columns=columns)


def measure(log: ServedLog, date: str, files: Collection[str]) -> DayStatistics:
    """Return the statistics of the rows of some files of a day.

    Raises:
        EventLogError: A file is missing.
    """
    columns: Columns = {}
    for path in sorted(files):
        for batch in log.rows_of(path, _is_measured):
            if len(batch):
                _take(columns, batch)
    return DayStatistics(date=date, files=frozenset(files), columns=columns)


def _is_measured(name: str) -> bool:
    return not name.startswith(OWN) or name in ABOUT or name == INSTANT


def _take(columns: Columns, batch: pa.RecordBatch) -> None:
    last_ms: int = pc.max(batch.column(INSTANT)).as_py()
    for field, values in zip(batch.schema, batch.columns, strict=True):
        if field.name != INSTANT:
            kind = kind_of(field.type)
            found = columns.setdefault(
                (field.name, kind),
                ColumnStatistics(name=field.name, kind=kind, role=_role(field)),
            )
            found.add(values, last_ms)


def _role(field: pa.Field) -> Role:
    if field.name.startswith(OWN):
        return "log"
    return "key" if is_key(field) else "feature"


def _in_order(found: dict[str, ColumnStatistics], columns: Columns) -> Iterator[str]:
    """Yield the shown names in the order of the columns."""
    places = {key: place for place, key in enumerate(columns)}
    yield from sorted(found, key=lambda name: places[found[name].name, found[name].kind])
