"""Under which names and of which type a feature is served: the one place that says so."""

from collections.abc import Sequence

from feature_platform.tiles.grid import format_duration

NO_WINDOW_MS = 0
"""Of a lifetime and of a latest value."""
LIST_OF = "list of "
"""What the type of a served list begins with; the type of its items follows."""
AGED = ("last", "last_n")
"""Aggregates whose value comes from events that have a time: they alone can be too old."""


def served_names(
    name: str, windows_ms: Sequence[int], *, lifetime: bool, latest: bool
) -> dict[str, int]:
    """Return each name that rankers ask for, with its window in milliseconds.

    `views` with windows of 30 minutes and lifetime is served as `views_30m` and `views_lifetime`; a
    latest value under its bare name.
    """
    names = {f"{name}_{format_duration(window_ms)}": window_ms for window_ms in windows_ms}
    if lifetime:
        names[f"{name}_lifetime"] = NO_WINDOW_MS
    if latest:
        names[name] = NO_WINDOW_MS
    return names


def served_type(aggregate: str, value_type: str) -> str:
    """Return the type of a served value, in the words of a source's columns.

    Args:
        aggregate: Such as `sum` or `last_n`.
        value_type: Type of the aggregated values, such as `DECIMAL(10,2)`.
    """
    match aggregate:
        case "count":
            return "BIGINT"
        case "sum":
            return "BIGINT" if value_type in {"BIGINT", "INT"} else "DOUBLE"
        case "avg":
            return "DOUBLE"
        case "last_n":
            return f"{LIST_OF}{value_type}"
        case _:
            return value_type
