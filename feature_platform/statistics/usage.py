"""What each feature costs and who uses it: lists, what was served, and what that was.

Nothing is asked of servers: the definitions say what is listed and what is stored, the archived
feature log says what was served, and its statistics what the values were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.definition.served import NO_WINDOW_MS
from feature_platform.feature_log.read import ServedLog
from feature_platform.plan.costs import bytes_per_entity, rows_of_windows, window_levels
from feature_platform.plan.layout import build_layout
from feature_platform.settings import Settings
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.kept import KeptStatistics
from feature_platform.statistics.rows import ServedRows

DAYS = 7
"""How many of the newest days of each feature log are looked at."""
UNUSED = "in no list"
ODD = frozenset({"not served", "always null", "constant"})
"""Verdicts on what lists ask for, in vain."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureUse:
    """What a served name costs, and who uses it."""

    featureset: str
    feature: str
    name: str
    bytes: int
    """Of an entity with something in every tile, that would not be stored without the feature."""
    rows: int
    """About how many a request for it alone reads of an entity at most, its head too."""
    lists: tuple[str, ...]
    logged: int | None
    """Rows that were served with it, as far as they were logged; None: no list has a log."""
    nulls: float | None
    distinct: int | None
    verdicts: tuple[str, ...]
    """What should be looked at; empty if nothing."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp usage --json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logged:
    """What the newest days of a list's log say."""

    columns: Mapping[str, ColumnStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    bytes: int
    rows: int


def usage(
    settings: Settings,
    featuresets: Sequence[FeatureSet],
    lists: Sequence[FeatureList],
    report: Report,
) -> list[FeatureUse]:
    """Look at every served name of some feature sets.

    Args:
        settings: Where the feature logs are archived.
        featuresets: As they are defined.
        lists: All that are defined.
        report: Called with what is computed.

    Raises:
        EventLogError: A feature log is damaged.
    """
    logged = {each.name: _logged(settings, each.name, report) for each in lists}
    return [
        _use(featureset, feature, served, cost, lists, logged)
        for featureset in featuresets
        for feature in featureset.features
        for served, cost in _costs(featureset, feature).items()
    ]


def _logged(settings: Settings, name: str, report: Report) -> _Logged | None:
    log = ServedLog.try_open(settings, name)
    if log is None:
        return None
    kept = KeptStatistics(ServedRows(log), lambda text: report(f"{name}: {text}"))
    days = [kept.day(date) for date in kept.dates()[-DAYS:]]
    found: dict[str, ColumnStatistics] = {}
    for day in days:
        for column, more in day.shown().items():
            known = found.get(column)
            found[column] = known.merged(more) if known and known.kind == more.kind else more
    return _Logged(columns=found)


def _use(
    featureset: FeatureSet,
    feature: Feature,
    served: str,
    cost: _Cost,
    lists: Sequence[FeatureList],
    logged: Mapping[str, _Logged | None],
) -> FeatureUse:
    full = f"{featureset.name}.{served}"
    columns = {
        each.name: next((one.column for one in each.features if one.name == full), "")
        for each in lists
    }
    using = tuple(name for name, column in columns.items() if column)
    logs = {name: log for name in using if (log := logged[name])}
    found = [
        log.columns[columns[name]] for name, log in logs.items() if columns[name] in log.columns
    ]
    rows = sum(each.rows for each in found)
    nulls = sum(each.nulls for each in found) / rows if rows else None
    distinct = max((each.distinct for each in found), default=None)
    return FeatureUse(
        featureset=featureset.name,
        feature=feature.name,
        name=served,
        bytes=cost.bytes,
        rows=cost.rows,
        lists=using,
        logged=rows if logs else None,
        nulls=nulls,
        distinct=distinct,
        verdicts=_verdicts(using, bool(logs), rows, nulls, distinct),
    )


def _verdicts(
    using: Sequence[str], is_logged: bool, rows: int, nulls: float | None, distinct: int | None
) -> tuple[str, ...]:
    if not using:
        return (UNUSED,)
    if not is_logged:
        return ()
    if not rows:
        return ("not served",)
    if nulls == 1:
        return ("always null",)
    return ("constant",) if distinct == 1 and not nulls else ()


def _costs(featureset: FeatureSet, feature: Feature) -> dict[str, _Cost]:
    """Return what each served name of a feature costs; all share what is stored."""
    ids = {column.name: number for number, column in enumerate(featureset.columns)}
    layout = build_layout(featureset, ids)
    others = tuple(each for each in layout.columns if each.name not in feature.columns)
    less = bytes_per_entity(replace(layout, columns=others))
    found = {}
    for name, window_ms in feature.served.items():
        levels = window_levels(layout, feature.columns[0], window_ms)
        windows = [] if window_ms == NO_WINDOW_MS else [(window_ms, levels)]
        rows = rows_of_windows(layout.grid, windows)
        found[name] = _Cost(bytes=bytes_per_entity(layout) - less, rows=rows)
    return found
