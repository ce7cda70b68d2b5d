"""The statistics of one day: of each column over the day's rows.

Rows are read some at a time, so that the length of a day does not matter.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from feature_platform.statistics.column import ColumnStatistics, Kind
from feature_platform.statistics.rows import DayRows

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
    meaning: str = ""
    """See `rows.DayRows`."""
    sample: int = 1
    """Of how many rows one was measured."""

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
        return replace(self, files=self.files | other.files, columns=columns)


def measure(rows: DayRows, date: str, files: Collection[str], sample: int) -> DayStatistics:
    """Return the statistics of the rows of a day that are in some files.

    Raises:
        EventLogError: A file is missing.
    """
    columns: Columns = {}
    for batch in rows.batches(date, files, sample):
        for each in batch.columns:
            new = ColumnStatistics(name=each.name, kind=each.kind, role=each.role)
            found = columns.setdefault((each.name, each.kind), new)
            if each.values is None:
                found.add_rows(each.rows, each.seen, batch.last_ms)
            else:
                found.add(each.values, batch.last_ms, each.seen)
    return DayStatistics(
        date=date,
        files=frozenset(files),
        columns=columns,
        meaning=rows.meaning,
        sample=sample,
    )


def _in_order(found: dict[str, ColumnStatistics], columns: Columns) -> Iterator[str]:
    """Yield the shown names in the order of the columns."""
    places = {key: place for place, key in enumerate(columns)}
    yield from sorted(found, key=lambda name: places[found[name].name, found[name].kind])
