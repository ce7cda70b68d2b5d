"""Fingerprints: short hashes that change exactly when something changes that they are of."""

import hashlib
import json
from typing import Any

from feature_platform.definition.model import (
    ColumnType,
    Feature,
    FeatureSetSettings,
    History,
    Source,
    StoredColumn,
)
from feature_platform.tiles.grid import Grid

_LENGTH = 16


def digest(value: Any) -> str:  # noqa: ANN401 - anything JSON can hold
    """Return the first 16 hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def sql_fingerprint(flink_sql: str, reads: tuple[tuple[str, ColumnType], ...]) -> str:
    """Hash what the SQL's state depends on: the query and the columns it reads."""
    return digest([flink_sql, [[name, str(kind)] for name, kind in reads]])


def data_fingerprint(
    sql_print: str,
    source: Source,
    grid: Grid,
    columns: tuple[StoredColumn, ...],
    features: tuple[Feature, ...],
    settings: FeatureSetSettings,
) -> str:
    """Hash what values, state and running job depend on."""
    return digest(
        {
            "sql": sql_print,
            "source": [
                source.topic,
                source.format,
                source.event_time,
                source.event_time_unit,
                source.max_future_ms,
                source.max_past_ms,
                *([history_facts(source.history)] if source.history else []),
            ],
            "grid": [grid.levels_ms, grid.depth],
            "retention": retention_ms(grid, features, settings.keep_ms),
            "columns": [
                [
                    column.name,
                    column.kind,
                    column.carrier,
                    column.scale,
                    column.n,
                    column.levels,
                    column.lifetime,
                ]
                for column in columns
            ],
            "job": [
                settings.state_ttl_ms,
                settings.sql_state_ttl_ms,
                settings.checkpoint_interval_ms,
                settings.flush_interval_ms,
                settings.parallelism,
            ],
        }
    )


def history_facts(history: History) -> list[Any]:
    """Return what a history decides; which of its columns a query reads, its SQL says."""
    return [
        history.files,
        history.format,
        history.until_ms,
        history.columns,
        history.version,
        history.delimiter,
        history.null_value,
    ]


def metadata_fingerprint(
    description: str, owner: str, features: tuple[Feature, ...], settings: FeatureSetSettings
) -> str:
    """Hash what only people and readers see: descriptions, owner, windows asked for."""
    return digest(
        {
            "description": description,
            "owner": owner,
            "on_change": settings.on_change,
            "features": [[feature.description, feature.served_names] for feature in features],
        }
    )


def retention_ms(grid: Grid, features: tuple[Feature, ...], keep_ms: int) -> tuple[int, ...]:
    """Return for each level how long a tile is kept after its end; 0 where it is not used."""
    windows = [window for feature in features for window in feature.windows_ms]
    longest = [
        max((window for window in windows if window >= length), default=0)
        for length in grid.levels_ms
    ]
    return tuple(window + keep_ms if window else 0 for window in longest)
