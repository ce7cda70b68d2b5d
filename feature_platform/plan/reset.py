"""`--reset COLUMN`: which stored columns are meant. Pure."""

from collections.abc import Iterable

from feature_platform.definition.model import FeatureSet
from feature_platform.definition.names import unknown
from feature_platform.errors import PlanRefusedError, UnknownFeatureError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.layout import EVENTS_COLUMN


def reset_columns(
    wanted: FeatureSet, deployed: Snapshot | None, names: Iterable[str]
) -> frozenset[str]:
    """Return the stored columns that are to count from now on under new ids.

    A stored column brings its feature's others with it: a sum without its count is no average.

    Args:
        wanted: The definition.
        deployed: What is deployed; None if nothing is.
        names: Names of features or of stored columns.

    Raises:
        UnknownFeatureError: The definition has no such feature and column.
        PlanRefusedError: The column cannot be reset, or has nothing that could be forgotten.
    """
    return frozenset(column for name in names for column in _columns_of(wanted, deployed, name))


def _columns_of(wanted: FeatureSet, deployed: Snapshot | None, name: str) -> tuple[str, ...]:
    if name == EVENTS_COLUMN:
        msg = (
            f"`{EVENTS_COLUMN}` of {wanted.name} cannot be reset: checks compare every tile by "
            f"this count. To start over with all columns: fp delete {wanted.name}, then fp apply "
            f"{wanted.name}"
        )
        raise PlanRefusedError(msg)
    for feature in wanted.features:
        if name == feature.name or name in feature.columns:
            break
    else:
        known = [feature.name for feature in wanted.features]
        where = f" in feature set `{wanted.name}`"
        raise UnknownFeatureError(unknown("feature or stored column", name, known, where=where))
    if deployed is None or feature.name not in {item.name for item in deployed.features}:
        msg = (
            f"`{name}` of {wanted.name} is not deployed yet, so there is nothing to reset; omit "
            f"--reset {name}"
        )
        raise PlanRefusedError(msg)
    return feature.columns
