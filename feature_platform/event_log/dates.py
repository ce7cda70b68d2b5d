"""Which files hold the records of a date, as a source reads them. Pure.

The date of a record is its event time's, if it was an event when it was archived. Files of sources
that read otherwise may have it at any date.
"""

from collections.abc import Collection
from datetime import date, timedelta

from feature_platform.definition.fingerprint import digest
from feature_platform.event_log.commits import DATA, Log
from feature_platform.plan.job_source import JobSource

DAY_MS = 86_400_000
DATES_MAX = 10_000
_EPOCH = date(1970, 1, 1)
TIMING = ("format", "event_time", "event_time_unit", "max_future_ms", "max_past_ms")


def reading(source: JobSource) -> str:
    """Return a digest of what decides whether a record has an event time, and which.

    Every feature set of a source has the same, whatever else its query reads.

    Args:
        source: As the job spec has it.
    """
    stored = source.to_json()
    types = [column.type for column in source.columns if column.name == source.event_time]
    return digest({**{name: stored[name] for name in TIMING}, "types": types})


def first_ms_of(date_: str) -> int:
    """Return the first instant of a date, UTC, in epoch milliseconds."""
    return (date.fromisoformat(date_) - _EPOCH).days * DAY_MS


def dates_between(first_ms: int, last_ms: int) -> list[str] | None:
    """Return the dates of the instants `[first_ms, last_ms]`, UTC; None: too many to name.

    Args:
        first_ms: Epoch milliseconds.
        last_ms: Epoch milliseconds; before the first there is none.
    """
    first, last = first_ms // DAY_MS, last_ms // DAY_MS
    if last - first >= DATES_MAX:
        return None
    return [(_EPOCH + timedelta(days=day)).isoformat() for day in range(first, last + 1)]


def of_dates(log: Log, source: JobSource, dates: Collection[str] | None) -> list[str]:
    """Return the live files that may hold records of some dates; of all for None."""
    if dates is None:
        return list(log.files)
    folders, ours = {f"{DATA}/date={date}" for date in dates}, reading(source)
    return [
        path
        for path, file in log.files.items()
        if file.folder in folders or log.readings[path] != ours
    ]
