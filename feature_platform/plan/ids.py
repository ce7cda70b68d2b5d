"""Feature ids: what each means, and the one rule by which columns get theirs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from feature_platform.definition.model import FeatureSet
from feature_platform.tiles.layout import EVENTS_COLUMN, EVENTS_ID, Carrier, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKey:
    """What a feature id stands for: change any of it and the old counts no longer fit."""

    name: str
    kind: Kind
    carrier: Carrier
    scale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureId:
    """An allocated id; a retired one is never handed out again."""

    id: int
    column: ColumnKey
    retired: bool = False


def column_keys(featureset: FeatureSet) -> tuple[ColumnKey, ...]:
    """Return the keys of a feature set's stored columns, in order."""
    return tuple(
        ColumnKey(name=column.name, kind=column.kind, carrier=column.carrier, scale=column.scale)
        for column in featureset.columns
    )


def assign_ids(
    known: Sequence[FeatureId],
    columns: Sequence[ColumnKey],
    *,
    deployed: Collection[int] = (),
    reset: Collection[str] = (),
) -> dict[str, int]:
    """Return the id of each column: its living one, else the next free; `_events` has 0.

    Planning asks what would happen and the registry makes it so, by the same rule. While a reset is
    under way a column has two living ids: the deployed one and the one it is going to have. So a
    reset that crashed and is repeated finds the id that it has allocated, and whoever does not
    ask for the reset any more keeps the deployed one.

    Args:
        known: All ids ever allocated.
        columns: What is asked for.
        deployed: The ids that are deployed.
        reset: Names of the columns that are not to continue under their deployed id.
    """
    living: dict[ColumnKey, int] = {}
    for item in sorted(known, key=lambda item: (item.id in deployed, item.id)):
        if not item.retired and not (item.column.name in reset and item.id in deployed):
            living[item.column] = item.id
    free = max((item.id for item in known), default=EVENTS_ID) + 1
    assigned: dict[str, int] = {}
    for column in columns:
        if column.name == EVENTS_COLUMN:
            assigned[column.name] = EVENTS_ID
        elif column in living:
            assigned[column.name] = living[column]
        else:
            assigned[column.name] = free
            free += 1
    return assigned
