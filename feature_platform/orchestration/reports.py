"""What the page shows of archived logs: the definitions as they are, and one computing place each.

What needs an extra is imported when it is asked for: a page without it shows all else.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from feature_platform.clock import SystemClock
from feature_platform.errors import UnknownFeatureError
from feature_platform.extras import Extra, require
from feature_platform.pushes.loading import Loaded

if TYPE_CHECKING:  # it needs an extra that a page does without
    from feature_platform.statistics.judge import StatisticsReport
    from feature_platform.statistics.lateness import DayLate
    from feature_platform.statistics.usage import FeatureUse

EXTRA: Extra = "statistics"
LATE_DAYS = 7
"""Days of late events that are shown beside each other."""
Log = Callable[[str], None]
_Defined = TypeVar("_Defined")


def list_statistics(loaded: Loaded, name: str, log: Log) -> "StatisticsReport | None":
    """Judge the statistics of the newest day of a list that is over; None: nothing is archived.

    Raises:
        UnknownFeatureError: The list is no longer defined, or does not load any more.
        MissingExtraError: The library of sketches is not installed.
        EventLogError: The log is damaged.
    """
    require("the check statistics", EXTRA)
    from feature_platform.feature_log.read import ServedLog
    from feature_platform.statistics.rows import ServedRows
    from feature_platform.statistics.run import StatisticsRequest, of_list, statistics

    listed = _defined(loaded.project.lists, "feature list", name)
    served = ServedLog.try_open(loaded.settings, name)
    if served is None:
        return None
    rows = ServedRows(served)
    return statistics(rows, of_list(listed), StatisticsRequest(), SystemClock(), log)


def event_statistics(loaded: Loaded, name: str, log: Log) -> "StatisticsReport | None":
    """Judge what a feature set takes of the newest day's events; see `list_statistics`.

    Raises:
        UnknownFeatureError: See `list_statistics`; so of the other errors.
        SparkFailedError: Spark failed.
    """
    require("the check statistics", EXTRA)
    from feature_platform.engines.spark import SparkEventReader
    from feature_platform.statistics.event_days import EventDays, of_featureset
    from feature_platform.statistics.run import StatisticsRequest, statistics

    featureset = _defined(loaded.project.featuresets, "feature set", name)
    reader = SparkEventReader(loaded.settings)
    days = EventDays.try_open(loaded.settings, featureset, reader)
    if days is None:
        return None
    subject = of_featureset(featureset)
    return statistics(days, subject, StatisticsRequest(), SystemClock(), log)


def late_events(loaded: Loaded, name: str, log: Log) -> "Sequence[DayLate]":
    """Measure how late the events of a source's newest days came, the oldest day first.

    Raises:
        UnknownFeatureError: The source is no longer defined, or does not load any more.
        MissingExtraError: See `list_statistics`.
        CallerError: Nothing is archived.
        EventLogError: The log is damaged.
        OSError: A file of it cannot be read.
    """
    require("the check late_events", EXTRA)
    from feature_platform.statistics.lateness import Lateness

    source = _defined(loaded.project.sources, "source", name)
    featuresets = [each for each in loaded.project.featuresets.values() if each.source.name == name]
    lateness = Lateness(loaded.settings.event_log_folder, name, source.topic)
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date().isoformat()
    found = []
    for date in lateness.newest(LATE_DAYS, today):
        log(f"{date}: measuring how late events came")
        found.append(lateness.day(date, featuresets))
    return found


def usage(loaded: Loaded, name: str, log: Log) -> "Sequence[FeatureUse]":
    """Look at what each served name of a feature set costs, and who uses it.

    Raises:
        UnknownFeatureError: See `list_statistics`; so of the other errors.
        OSError: What was measured of a feature log cannot be kept.
    """
    require("the check usage", EXTRA)
    from feature_platform.statistics.usage import usage as look

    featureset = _defined(loaded.project.featuresets, "feature set", name)
    lists = [each for each in loaded.project.lists.values() if name in each.featuresets]
    return look(loaded.settings, [featureset], lists, log)


def _defined(known: Mapping[str, _Defined], kind: str, name: str) -> _Defined:
    """Return a definition.

    Raises:
        UnknownFeatureError: It is not there any more.
    """
    if name not in known:
        msg = f"{kind} {name} is no longer defined, or does not load: fp validate"
        raise UnknownFeatureError(msg)
    return known[name]
