"""Deciding what a change is: the wanted definition against the deployed snapshot. Pure.

For each served name it says what becomes of its history; for the whole, which kind of change it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.expected import answers_from_ms
from feature_platform.plan.job import job_definition
from feature_platform.plan.job_source import JobSource
from feature_platform.plan.layout import covers
from feature_platform.plan.snapshot import DeployedFeature, Snapshot, since_of
from feature_platform.tiles.grid import format_duration
from feature_platform.tiles.layout import Layout, LayoutColumn, completes

Kind = Literal[
    "none",
    "new",
    "metadata",
    "forward",
    "rebuild",
    "start",
    "restart",
    "recover",
    "rollback",
    "return",
    "sweep",
    "repair",
    "stop",
    "removed",
    "finish",
]
Verdict = Literal[
    "keeps history",
    "counts from now on",
    "counts from the first event on",
    "recomputed",
    "dropped",
]

NOW_MS = -1
"""In place of an instant that is known only when the plan is executed."""
FROM_LOG = "from the event log"
FROM_TOPIC = "as far as the topic still has the events"
FROM_HISTORY = "from the source's history and the event log"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameVerdict:
    """What becomes of one served name."""

    name: str
    verdict: Verdict
    why: str = ""
    since_ms: int = 0
    """Since when it counts; 0: since the first event of the topic; NOW_MS: from this change on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference between wanted and deployed."""

    kind: Kind
    reasons: tuple[str, ...]
    """What differs, one short sentence each."""
    verdicts: tuple[NameVerdict, ...]
    edited: frozenset[str] = frozenset()
    """Features whose present meaning begins with this change."""
    added: Mapping[str, int] = field(default_factory=dict)
    """New served names that are younger than their feature, and since when they count."""


def compare(
    wanted: FeatureSet,
    layout: Layout,
    deployed: Snapshot | None,
    reset: Collection[str] = (),
    *,
    start_empty: bool = False,
) -> Change:
    """Compare a definition with what is deployed.

    Args:
        wanted: The definition.
        layout: Its layout, with the ids that its columns would get.
        deployed: What is deployed; None if nothing is.
        reset: Stored columns that a person wants to count from now on.
        start_empty: Whether a person wants no history where it would have to be recomputed.
    """
    if deployed is None:
        forward = wanted.settings.on_change == "forward" and wanted.source.history is None
        verdicts = _begun(wanted, start_empty=start_empty or forward)
        return Change(kind="new", reasons=("not deployed yet",), verdicts=verdicts)
    breaking = _breaking(wanted, deployed)
    job = (*_asked(reset), *_job_differences(wanted, layout, deployed))
    reasons = breaking or job or _metadata_differences(wanted, deployed)
    verdicts, edited, added = _verdicts(wanted, layout, deployed, reset)
    if breaking or _wants_history(wanted, edited, added, reset):
        names = _begun(wanted, start_empty=start_empty)
        return Change(kind="rebuild", reasons=reasons, verdicts=names + _dropped(names, deployed))
    kind: Kind = "forward" if job else "metadata" if reasons else "none"
    return Change(kind=kind, reasons=reasons, verdicts=verdicts, edited=edited, added=added)


def _asked(reset: Collection[str]) -> tuple[str, ...]:
    return (f"a reset was requested for {', '.join(sorted(reset))}",) if reset else ()


def _wants_history(
    wanted: FeatureSet, edited: frozenset[str], added: Mapping[str, int], reset: Collection[str]
) -> bool:
    """Return whether a change begins something that is to have a history; a reset is not."""
    asked = {feature.name for feature in wanted.features if set(feature.columns) & set(reset)}
    return wanted.settings.on_change == "rebuild" and bool(edited - asked or added)


def _breaking(wanted: FeatureSet, deployed: Snapshot) -> tuple[str, ...]:
    """Say what makes the stored rows useless."""
    reasons = []
    if wanted.entity != deployed.entity:
        reasons.append(f"the entity is {wanted.entity}, was {deployed.entity}")
    if wanted.grid != deployed.layout.grid:
        levels = [
            "/".join(format_duration(level) for level in grid.levels_ms)
            for grid in (wanted.grid, deployed.layout.grid)
        ]
        reasons.append(f"the grid is {levels[0]}, was {levels[1]}")
    old, new = deployed.job.source, job_definition(wanted, deployed.layout).source
    reasons += _history_reasons(old, new)
    reasons += [
        f"the source's {what} is {after}, was {before}"
        for what, after, before in (
            ("topic", new.topic, old.topic),
            ("format", new.format, old.format),
            ("event_time", new.event_time, old.event_time),
            ("event_time_unit", new.event_time_unit, old.event_time_unit),
        )
        if after != before
    ]
    reasons += [
        f"the source's column {column.name} is {column.type}, was {known.type}"
        for column in new.columns
        if (known := old.column(column.name)) and known != column
    ]
    return tuple(reasons)


def _history_reasons(old: JobSource, new: JobSource) -> list[str]:
    """Say how a source's history gives other events to the columns that rows are made of."""
    if new.continues_history_of(old):
        return []
    if old.history is None or new.history is None:
        return [f"the source {'has a' if new.history else 'no longer has its'} history"]
    return ["the source's history changed"]


def _job_differences(wanted: FeatureSet, layout: Layout, deployed: Snapshot) -> tuple[str, ...]:
    """Say why the running job cannot continue as it is."""
    reasons = []
    new, old = job_definition(wanted, layout), deployed.job
    if new.sql != old.sql:
        reasons.append("the query changed")
    if not covers(deployed.layout, layout):
        reasons.append("the stored columns, tile levels or retention changed")
    if _but_columns(new.source) != _but_columns(old.source):
        reasons.append("the source changed")
    if new.sql_fingerprint != old.sql_fingerprint and not reasons:
        reasons.append("the query's state would have a different meaning")
    before = asdict(old.settings)
    reasons += [
        f"{name.removesuffix('_ms')} is {_in_words(name, value)}, "
        f"was {_in_words(name, before[name])}"
        for name, value in asdict(new.settings).items()
        if before[name] != value
    ]
    return tuple(reasons)


def _but_columns(source: JobSource) -> JobSource:
    """Leave out the columns that the query reads and the bounds of sums: they change with it.

    A history that gives these columns something else is a rebuild already.
    """
    return replace(source, columns=(), sum_scales={}, history=None)


def _in_words(setting: str, value: int) -> str:
    return format_duration(value) if setting.endswith("_ms") and value else str(value)


def _metadata_differences(wanted: FeatureSet, deployed: Snapshot) -> tuple[str, ...]:
    reasons = []
    if {feature.name for feature in wanted.features} != {
        item.name for item in deployed.features
    } or any(
        set(old.served_names) != set(feature.served_names)
        for feature in wanted.features
        for old in deployed.features
        if old.name == feature.name
    ):
        reasons.append("served windows changed; existing tiles can answer them")
    if wanted.metadata_fingerprint != deployed.metadata_fingerprint and not reasons:
        reasons.append("descriptions or owners changed")
    if wanted.data_fingerprint != deployed.data_fingerprint and not reasons:
        reasons.append("the definition changed without effect on any value")
    return tuple(reasons)


def _begun(wanted: FeatureSet, *, start_empty: bool) -> tuple[NameVerdict, ...]:
    """Say of every name how it begins in rows of its own."""
    verdict: Verdict = "counts from the first event on" if start_empty else "recomputed"
    from_log = FROM_HISTORY if wanted.source.history else FROM_LOG
    why = FROM_TOPIC if start_empty else from_log
    return tuple(
        NameVerdict(name=name, verdict=verdict, why=why)
        for feature in wanted.features
        for name in feature.served_names
    )


def _dropped(kept: Sequence[NameVerdict], deployed: Snapshot) -> tuple[NameVerdict, ...]:
    names = {verdict.name for verdict in kept}
    return tuple(
        NameVerdict(name=name, verdict="dropped")
        for feature in deployed.features
        for name in feature.served_names
        if name not in names
    )


def _verdicts(
    wanted: FeatureSet, layout: Layout, deployed: Snapshot, reset: Collection[str]
) -> tuple[tuple[NameVerdict, ...], frozenset[str], Mapping[str, int]]:
    """Judge every served name of a feature set whose rows stay."""
    before = {feature.name: feature for feature in deployed.features}
    verdicts: list[NameVerdict] = []
    edited: set[str] = set()
    added: dict[str, int] = {}
    for feature in wanted.features:
        old = before.get(feature.name)
        fresh = _fresh_reason(feature, layout, deployed, old, reset)
        reworded = bool(old and not fresh and feature.meaning != old.meaning)
        if fresh or reworded:
            edited.add(feature.name)
        for name, begun in _begun_names(feature, deployed, old).items():
            if old and not fresh and (begun.why or begun.since_ms > old.valid_from_ms):
                added[name] = NOW_MS if begun.why else begun.since_ms
            verdicts.append(_verdict(name, fresh or begun.why, old, begun, reworded=reworded))
    return (*verdicts, *_dropped(verdicts, deployed)), frozenset(edited), added


def _fresh_reason(
    feature: Feature,
    layout: Layout,
    deployed: Snapshot,
    old: DeployedFeature | None,
    reset: Collection[str],
) -> str:
    """Say why a feature starts over; empty if it continues."""
    if old is None:
        return "a new feature"
    if set(feature.columns) & set(reset):
        return "reset"
    known = {column.id for column in deployed.layout.columns}
    if any(layout.column(name).id not in known for name in feature.columns if not completes(name)):
        return "aggregate, type or scale changed"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """Since when the stored tiles answer a served name."""

    why: str = ""
    """Why they cannot answer it yet; empty if they can."""
    since_ms: int = 0
    """Older tiles may be gone while it still needs them; 0: none."""


def _begun_names(
    feature: Feature, deployed: Snapshot, old: DeployedFeature | None
) -> dict[str, _Begun]:
    """Return for each served name since when the stored tiles answer it; of a new one only."""
    known = old.served_names if old else ()
    telling = {name for name in feature.columns if not completes(name)}
    stored = [column for column in deployed.layout.columns if column.name in telling]
    windows = {name: window_ms for name, window_ms in feature.served.items() if window_ms}
    return {
        name: _Begun()
        if name in known
        else _begun_window(deployed, stored, windows[name])
        if name in windows
        else _begun_lifetime(deployed, stored)
        for name in feature.served_names
    }


def _begun_window(deployed: Snapshot, stored: Sequence[LayoutColumn], window_ms: int) -> _Begun:
    since = [answers_from_ms(deployed, column, window_ms) for column in stored]
    if None in since:
        return _Begun(why="needs tiles that were not kept before")
    return _Begun(since_ms=max((ms for ms in since if ms), default=0))


def _begun_lifetime(deployed: Snapshot, stored: Sequence[LayoutColumn]) -> _Begun:
    if not all(column.lifetime for column in stored):
        return _Begun(why="its lifetime was not kept before")
    level = deployed.layout.grid.lifetime_level
    return _Begun(since_ms=max((since_of(deployed, each, level) for each in stored), default=0))


def _verdict(
    name: str, fresh: str, old: DeployedFeature | None, begun: _Begun, *, reworded: bool
) -> NameVerdict:
    if fresh:
        return NameVerdict(name=name, verdict="counts from now on", why=fresh, since_ms=NOW_MS)
    return NameVerdict(
        name=name,
        verdict="keeps history",
        why="the new definition counts from now on" if reworded else "",
        since_ms=max(old.from_ms(name) if old else 0, begun.since_ms),
    )
