"""What a training set computes: features by feature set, as slots that Spark fills. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import CallerError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.read_plan import Group, resolve, types_of
from feature_platform.serving.shown import Wishes
from feature_platform.tiles.cover import cover

Slot = tuple[int, int]
"""A stored column's id, and a window in milliseconds (0: over all events)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPart:
    """What is asked of one feature set."""

    group: Group
    slots: tuple[Slot, ...]
    """The columns of an answer, `v0` and so on."""
    plan: Mapping[str, Any]
    """The same for the kernel's `AsOfPlan`."""

    @property
    def featureset(self) -> str:
        """The feature set's name."""
        return self.group.snapshot.featureset


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedList:
    """What is asked of all feature sets of a list."""

    of: FeatureList
    parts: tuple[AskedPart, ...]
    wishes: Wishes
    types: tuple[str, ...]
    """What each feature serves, such as BIGINT or `list of STRING`."""

    @property
    def kinds(self) -> tuple[Snapshot, ...]:
        """For each kind of entity, a feature set that is about it."""
        first: dict[str, Snapshot] = {}
        for part in self.parts:
            first.setdefault(part.group.snapshot.entity, part.group.snapshot)
        return tuple(first.values())


def asked_list(wanted: FeatureList, snapshots: Iterable[Snapshot], edge_ms: int = 0) -> AskedList:
    """Return what a list asks for.

    Args:
        wanted: The list.
        snapshots: What is deployed.
        edge_ms: The coarser tail edge that serving is prepared with.

    Raises:
        UnknownFeatureError: A feature is not served.
        CallerError: A name of a column is reserved.
    """
    for feature in wanted.features:
        if feature.column.startswith("_"):
            msg = f"a column is named {feature.column!r}; names with `_` in front are reserved"
            raise CallerError(msg)
    groups = resolve(snapshots, [feature.name for feature in wanted.features])
    return AskedList(
        of=wanted,
        parts=tuple(_part(group, edge_ms) for group in groups),
        wishes=Wishes.of(wanted),
        types=types_of(groups),
    )


def _part(group: Group, edge_ms: int) -> AskedPart:
    layout = group.snapshot.layout
    indexes = {column.id: index for index, column in enumerate(layout.columns)}
    columns: dict[int, set[int]] = {}
    for wanted in group.wanted:
        columns.setdefault(wanted.window_ms, set()).update(column.id for column in wanted.columns)
    lifetime = sorted(columns.pop(0, ()), key=indexes.__getitem__)
    windows, slots = [], []
    for window_ms, ids in sorted(columns.items()):
        ordered = sorted(ids, key=indexes.__getitem__)
        slots += [(column, window_ms) for column in ordered]
        spans = _spans(group, window_ms, edge_ms)
        windows.append({**spans, "columns": [indexes[column] for column in ordered]})
    return AskedPart(
        group=group,
        slots=(*slots, *((column, 0) for column in lifetime)),
        plan={"windows": windows, "lifetime": [indexes[column] for column in lifetime]},
    )


def _spans(group: Group, window_ms: int, edge_ms: int) -> dict[str, int]:
    """Return how the edges of a window move: by the lengths of the tiles at its ends.

    A cover begins with a tile of one level and ends with an open tile of another, whatever the
    instant is; so one cover, of any instant, says both.
    """
    layout = group.snapshot.layout
    levels = next(each.levels for each in group.wanted if each.window_ms == window_ms)
    lengths = layout.grid.levels_ms
    tails = [lengths[level] for level in levels if lengths[level] <= edge_ms]
    any_ms = 2 * window_ms * lengths[-1]
    front = cover(layout.grid, levels, window_ms, any_ms, "now", edge_ms=edge_ms).tiles[-1][0]
    return {
        "length_ms": window_ms,
        "tail_ms": max(tails, default=lengths[levels[0]]),
        "front_ms": lengths[front],
    }
