"""Brings together what is archived of a list, its rules and the days that are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from feature_platform.clock import Clock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.feature_log.read import ServedLog
from feature_platform.statistics.judge import StatisticsReport, judge
from feature_platform.statistics.kept import KeptStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRequest:
    """Which days."""

    day: str = ""
    """UTC, such as `2026-12-01`; empty: the newest one that is over, else the newest."""
    against: str = ""
    """The day that drift is measured from; empty: as the list says."""


def statistics(
    log: ServedLog,
    listed: FeatureList,
    ask: StatisticsRequest,
    clock: Clock,
    report: Callable[[str], None],
) -> StatisticsReport:
    """Return the statistics of a day of a list, judged; what is new is computed and kept.

    Args:
        log: What was served from the list, as far as it is archived.
        listed: The list, with its rules.
        ask: Which days.
        clock: Says which days are over.
        report: Called with what is computed.

    Raises:
        CallerError: Nothing is archived of a day that was asked for.
        EventLogError: A file of the log is missing.
        OSError: The log's folder cannot be written.
    """
    kept = KeptStatistics(log, report)
    dates = kept.dates()
    day = ask.day or _newest(dates, clock)
    before = ask.against or listed.statistics.reference(date.fromisoformat(day)).isoformat()
    known = before in dates or bool(ask.against)
    judged = judge(
        listed.name,
        listed.statistics,
        tuple(feature.column for feature in listed.features),
        kept.day(day),
        kept.day(before) if known else None,
    )
    if known:
        return judged
    note = (
        f"nothing of {before} is archived, so drift is not known; choose another day by --against"
    )
    return replace(judged, notes=(note,))


def _newest(dates: list[str], clock: Clock) -> str:
    today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date().isoformat()
    over = [each for each in dates if each < today]
    return over[-1] if over else dates[-1] if dates else today
