"""The layout of a feature set's rows: columns under their ids, and how long tiles are kept."""

from collections.abc import Mapping

from feature_platform.definition.model import FeatureSet
from feature_platform.tiles.layout import Layout, LayoutColumn


def build_layout(featureset: FeatureSet, ids: Mapping[str, int]) -> Layout:
    """Return what the rows of a feature set hold.

    Args:
        featureset: The definition.
        ids: Feature id of each stored column, by name.
    """
    return Layout(
        grid=featureset.grid,
        retention_ms=_retention_ms(featureset),
        columns=tuple(
            LayoutColumn(
                id=ids[column.name],
                name=column.name,
                kind=column.kind,
                carrier=column.carrier,
                n=column.n,
                levels=column.levels,
                lifetime=column.lifetime,
            )
            for column in featureset.columns
        ),
    )


def _retention_ms(featureset: FeatureSet) -> tuple[int, ...]:
    """A tile is kept until the longest window that uses its level has passed, and `keep` longer."""
    windows = {window for feature in featureset.features for window in feature.windows_ms}
    return tuple(
        max(
            (
                window + featureset.settings.keep_ms
                for window in windows
                if level in featureset.grid.levels_for_window(window)
            ),
            default=0,
        )
        for level in range(len(featureset.grid.levels_ms))
    )


def answers_window(layout: Layout, column: LayoutColumn, window_ms: int) -> bool:
    """Return whether the tiles that are stored of a column are kept long enough for a window."""
    return all(
        level in column.levels and layout.retention_ms[level] >= window_ms
        for level in layout.grid.levels_for_window(window_ms)
    )


def covers(stored: Layout, wanted: Layout) -> bool:
    """Return whether stored rows hold all that is wanted, so that no job must change."""
    if stored.grid != wanted.grid or len(stored.columns) != len(wanted.columns):
        return False
    kept = zip(stored.retention_ms, wanted.retention_ms, strict=True)
    columns = zip(stored.columns, wanted.columns, strict=True)
    return all(have >= want for have, want in kept) and all(
        _column_covers(have, want) for have, want in columns
    )


def _column_covers(stored: LayoutColumn, wanted: LayoutColumn) -> bool:
    return (
        (stored.id, stored.name, stored.n) == (wanted.id, wanted.name, wanted.n)
        and set(stored.levels) >= set(wanted.levels)
        and stored.lifetime >= wanted.lifetime
    )
