"""Brings together what is archived, the rules and the days that are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from feature_platform.clock import Clock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.statistics.judge import StatisticsReport, Subject, judge
from feature_platform.statistics.kept import KeptStatistics
from feature_platform.statistics.rows import DayRows


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRequest:
    """Which days."""

    day: str = ""
    """UTC, such as `2026-12-01`; empty: the newest one that is over, else the newest."""
    against: str = ""
    """The day that drift is measured from; empty: as the list says."""


def statistics(
    rows: DayRows,
    of: Subject,
    ask: StatisticsRequest,
    clock: Clock,
    report: Callable[[str], None],
) -> StatisticsReport:
    """Return the statistics of a day, judged; what is new is computed and kept.

    Args:
        rows: Those of all days, as far as they are archived.
        of: What they are rows of, with its rules.
        ask: Which days.
        clock: Says which days are over.
        report: Called with what is computed.

    Raises:
        CallerError: Nothing is archived of a day that was asked for.
        EventLogError: A file of the log is missing.
        OSError: The log's folder cannot be written.
    """
    kept = KeptStatistics(rows, report)
    day = ask.day or _newest(kept.dates(), clock)
    before = ask.against or of.rules.reference(date.fromisoformat(day)).isoformat()
    known = bool(ask.against) or kept.has(before)
    present = kept.day(day)
    judged = judge(of, present, kept.day(before) if known else None)
    if known:
        return judged
    note = (
        f"nothing of {before} is archived, so drift is not known; choose another day by --against"
    )
    return replace(judged, notes=(note, *judged.notes))


def of_list(listed: FeatureList) -> Subject:
    """Return a list as what statistics are of."""
    return Subject(
        kind="list",
        name=listed.name,
        rules=listed.statistics,
        features=tuple(feature.column for feature in listed.features),
    )


def _newest(dates: list[str], clock: Clock) -> str:
    today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date().isoformat()
    over = [each for each in dates if each < today]
    return over[-1] if over else dates[-1] if dates else today
