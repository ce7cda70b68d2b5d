"""What has to be read for a list of features at an instant: names resolved, covers chosen. No I/O.

The same keys are read for every entity: its head, and the union of all covers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from feature_platform.clock import to_iso
from feature_platform.definition.problems import did_you_mean
from feature_platform.definition.served import served_type
from feature_platform.errors import (
    LimitExceededError,
    OutOfReachError,
    UnknownFeatureError,
)
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.store.base import HEAD_LEVEL, TileKey
from feature_platform.tiles.cover import Cover, Mode, cover
from feature_platform.tiles.layout import LayoutColumn

T = TypeVar("T")
NEVER_CHANGES_MS = 2**63 - 1
"""When the covers of a plan without windows change."""
INSTANTS_MAX = 60
"""Covers that `tiles_until` looks ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFeature:
    """One served name, resolved."""

    name: str
    """As it was asked for."""
    valid_from_ms: int
    """Since when its value counts."""
    feature: DeployedFeature
    window_ms: int
    """0 for a lifetime feature or a property."""
    columns: tuple[LayoutColumn, ...]
    levels: tuple[int, ...]
    """Levels that its cover may use."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The wanted features of one feature set: what one read of each entity answers."""

    snapshot: Snapshot
    wanted: tuple[ResolvedFeature, ...]
    positions: tuple[int, ...]
    """Where they are in the list that was asked for."""

    @cached_property
    def types(self) -> dict[int, str]:
        """What each feature serves, such as BIGINT or `list of STRING`, by position."""
        return {
            position: served_type(wanted.feature.aggregate, wanted.feature.value_type)
            for position, wanted in zip(self.positions, self.wanted, strict=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """What is read of one feature set, for each entity alike, and how it answers windows."""

    group: Group
    mode: Mode
    covers: Mapping[int, Cover]
    """By window."""
    keys: tuple[TileKey, ...]
    edge_ms: int = 0
    """How much longer windows may become for fewer tiles."""
    _derived: dict[object, object] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def derived(self, make: Callable[["ReadPlan"], T]) -> T:
        """Return what a function makes of the plan: made once, because requests share plans."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return self._derived[make]  # type: ignore[return-value]  # what `make` made

    def has_value(self, wanted: ResolvedFeature) -> bool:
        """Return whether there is an answer at all: of the past none without a window."""
        return wanted.window_ms != 0 or self.mode == "now"

    def columns(self) -> dict[int, LayoutColumn]:
        """Return all columns that the features are made of, by id."""
        return {column.id: column for wanted in self.group.wanted for column in wanted.columns}

    def is_full(self, wanted: ResolvedFeature) -> bool:
        """Return whether a value has counted all of its interval, or of all time."""
        answer = self.covers.get(wanted.window_ms)
        return wanted.valid_from_ms <= (answer.lo_ms if answer else 0)

    def counts_since_ms(self) -> dict[int, int]:
        """Return since when features count that began inside what is asked, by position."""
        return self.derived(_counts_since_ms)


def _counts_since_ms(plan: ReadPlan) -> dict[int, int]:
    return {
        position: wanted.valid_from_ms
        for position, wanted in zip(plan.group.positions, plan.group.wanted, strict=True)
        if not plan.is_full(wanted)
    }


def served_names(snapshot: Snapshot) -> dict[str, tuple[DeployedFeature, int]]:
    """Return each name that a feature set serves, with its feature and window (0 for none)."""
    return {
        name: (feature, window_ms)
        for feature in snapshot.features
        for name, window_ms in feature.served.items()
    }


def types_of(groups: Iterable[Group]) -> tuple[str, ...]:
    """Return what each feature of a list serves, in its order; the groups have all of it."""
    types: dict[int, str] = {}
    for group in groups:
        types |= group.types
    return tuple(map(types.__getitem__, range(len(types))))


def resolve(snapshots: Iterable[Snapshot], names: Sequence[str]) -> tuple[Group, ...]:
    """Find the features behind names such as `post_engagement.views_30m`.

    Raises:
        UnknownFeatureError: A name is not served; the message says which come close.
    """
    deployed = {snapshot.featureset: snapshot for snapshot in snapshots}
    served_by: dict[str, Mapping[str, tuple[DeployedFeature, int]]] = {}
    members: dict[str, list[tuple[int, ResolvedFeature]]] = {}
    for position, name in enumerate(names):
        featureset, dot, served = name.partition(".")
        if not dot:
            msg = (
                f"feature {name!r} has no feature set; write FEATURESET.{name}, or pass featureset="
            )
            raise UnknownFeatureError(msg)
        if featureset not in deployed:
            hint = did_you_mean(featureset, deployed) or _listing(deployed)
            msg = f"feature set {featureset!r} is not deployed{hint}"
            raise UnknownFeatureError(msg)
        if featureset not in served_by:
            served_by[featureset] = served_names(deployed[featureset])
        wanted = _wanted(deployed[featureset], served_by[featureset], served, name)
        members.setdefault(featureset, []).append((position, wanted))
    return tuple(
        Group(
            snapshot=deployed[featureset],
            wanted=tuple(wanted for _, wanted in found),
            positions=tuple(position for position, _ in found),
        )
        for featureset, found in members.items()
    )


def _wanted(
    snapshot: Snapshot, names: Mapping[str, tuple[DeployedFeature, int]], served: str, name: str
) -> ResolvedFeature:
    """Return a feature by its name in its feature set.

    Args:
        snapshot: The feature set.
        names: What it serves.
        served: The name there.
        name: The full one.

    Raises:
        UnknownFeatureError: It is not served.
    """
    if served not in names:
        hint = did_you_mean(served, names) or _listing(names)
        msg = f"feature {served!r} is not served by {snapshot.featureset}{hint}"
        raise UnknownFeatureError(msg)
    feature, window_ms = names[served]
    columns = tuple(snapshot.layout.column(column) for column in feature.columns)
    levels = snapshot.layout.grid.levels_for_window(window_ms)
    return ResolvedFeature(
        name=name,
        valid_from_ms=feature.from_ms(served),
        feature=feature,
        window_ms=window_ms,
        columns=columns,
        levels=tuple(level for level in levels if level in columns[0].levels),
    )


def _listing(names: Iterable[str]) -> str:
    shown = ", ".join(sorted(names)[:12])
    return f"; available: {shown}" if shown else ""


def plan_reads(
    group: Group, now_ms: int, at_ms: int | None, edge_ms: int, tiles_max: int
) -> ReadPlan:
    """Choose covers and the keys to read.

    Args:
        group: The features.
        now_ms: The present.
        at_ms: A past instant instead of the present.
        edge_ms: How much longer windows may become for fewer tiles.
        tiles_max: Most tiles to read of one entity.

    Raises:
        OutOfReachError: The instant is in the future, or tiles that it needs are no longer kept.
        LimitExceededError: The windows need more tiles than allowed.
    """
    mode: Mode = "now" if at_ms is None else "past"
    instant_ms = now_ms if at_ms is None else at_ms
    _refuse_out_of_reach(group, now_ms, instant_ms, edge_ms)
    covers = _covers(group, instant_ms, mode, edge_ms)
    tiles = sorted({tile for answer in covers.values() for tile in answer.tiles})
    if len(tiles) > tiles_max:
        msg = (
            f"the windows need {len(tiles)} tiles per entity; tiles_max is {tiles_max}: request "
            "fewer windows, or prepare with a coarser `edge`"
        )
        raise LimitExceededError(msg)
    return ReadPlan(
        group=group, mode=mode, covers=covers, keys=((HEAD_LEVEL, 0), *tiles), edge_ms=edge_ms
    )


def _covers(group: Group, instant_ms: int, mode: Mode, edge_ms: int) -> dict[int, Cover]:
    grid = group.snapshot.layout.grid
    windows = {each.window_ms: each.levels for each in group.wanted if each.window_ms}
    return {
        window_ms: cover(grid, levels, window_ms, instant_ms, mode, edge_ms=edge_ms)
        for window_ms, levels in windows.items()
    }


def changes_ms(plan: ReadPlan, now_ms: int) -> int:
    """Return the next instant at which covers may change: until then windows stay where they are.

    A cover's front moves when a tile of its finest level ends, its tail when the window's beginning
    passes such an edge.

    Args:
        plan: Of now.
        now_ms: The present.
    """
    grid, instants = plan.group.snapshot.layout.grid, [NEVER_CHANGES_MS]
    for wanted in plan.group.wanted:
        if wanted.window_ms:
            finest = wanted.levels[0]
            length_ms, begins_ms = grid.levels_ms[finest], now_ms - wanted.window_ms
            instants.append(grid.floor(now_ms, finest) + length_ms)
            instants.append(grid.floor(begins_ms, finest) + length_ms + wanted.window_ms)
    return min(instants)


def tiles_until(plan: ReadPlan, now_ms: int, until_ms: int) -> tuple[TileKey, ...]:
    """Return the tiles that the windows of a plan need from now until an instant: windows move.

    Args:
        plan: Of now.
        now_ms: The present.
        until_ms: Any later instant; of a far one, only the first `INSTANTS_MAX` covers count.
    """
    grid = plan.group.snapshot.layout.grid
    finest = min((level for wanted in plan.group.wanted for level in wanted.levels), default=0)
    step_ms = grid.levels_ms[finest]
    first_ms = grid.floor(now_ms, finest) + step_ms
    instants = range(first_ms, until_ms + 1, step_ms)[:INSTANTS_MAX]
    later = [_covers(plan.group, instant_ms, "now", plan.edge_ms) for instant_ms in instants]
    tiles = {tile for covers in later for each in covers.values() for tile in each.tiles}
    return tuple(sorted(tiles.union(plan.keys[1:])))


def _refuse_out_of_reach(group: Group, now_ms: int, instant_ms: int, edge_ms: int) -> None:
    if instant_ms > now_ms:
        msg = f"{to_iso(instant_ms)} is in the future; it is now {to_iso(now_ms)}"
        raise OutOfReachError(msg)
    for wanted in group.wanted:
        earliest_ms = _earliest_ms(group.snapshot, wanted, now_ms, edge_ms)
        if wanted.window_ms and instant_ms < earliest_ms:
            msg = (
                f"{wanted.name} cannot be read as of {to_iso(instant_ms)}: tiles it needs are no "
                f"longer kept; the earliest possible time is {to_iso(earliest_ms)}; to keep tiles "
                "longer, raise `keep` in the feature set's settings"
            )
            raise OutOfReachError(msg)


def _earliest_ms(snapshot: Snapshot, wanted: ResolvedFeature, now_ms: int, edge_ms: int) -> int:
    """Return the earliest instant that can be asked about: all tiles of its window are there."""
    lengths = snapshot.layout.grid.levels_ms
    edges = [lengths[level] for level in wanted.levels[1:] if lengths[level] <= edge_ms]
    kept = snapshot.kept
    whole_ms = max(
        (
            kept.whole_from_ms(level, now_ms, wanted.window_ms, slack_ms=lengths[0])
            for level in wanted.levels
        ),
        default=0,
    )
    return whole_ms + wanted.window_ms + max(edges, default=0)
