"""Puts a checked feature set together: stored columns, both texts of SQL, fingerprints."""

from dataclasses import dataclass

from feature_platform.definition.aggregates import (
    FIXED_POINT,
    SUMMED,
    carrier_of,
    value_type_of,
)
from feature_platform.definition.expression import BIGINT, AggregateCall, Query
from feature_platform.definition.features import Ask
from feature_platform.definition.fingerprint import (
    data_fingerprint,
    digest,
    metadata_fingerprint,
    sql_fingerprint,
)
from feature_platform.definition.model import (
    Feature,
    FeatureSet,
    FeatureSetSettings,
    Source,
    StoredColumn,
)
from feature_platform.definition.render import partial, render_query, row_source
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import EVENTS_COLUMN, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The parts of a feature set in which no mistake was found."""

    name: str
    description: str
    owner: str
    source: Source
    sql: str
    query: Query
    asks: dict[str, Ask]
    grid: Grid
    settings: FeatureSetSettings
    file: str


def assemble(checked: Checked) -> FeatureSet:
    """Return the feature set."""
    calls = checked.query.calls
    pairs = [
        (column, call)
        for call in calls
        for column in _stored(call, checked.asks[call.name], checked.grid)
    ]
    features = tuple(_feature(call, checked, pairs) for call in calls)
    columns = (_events(features, checked.grid), *(column for column, _ in pairs))
    tile_ms = checked.grid.levels_ms[0]
    flink_sql = render_query(checked.query, pairs, tile_ms, "flink")
    sql_print = sql_fingerprint(flink_sql, checked.source)
    return FeatureSet(
        name=checked.name,
        description=checked.description,
        owner=checked.owner,
        entity=checked.query.entity,
        source=checked.source,
        sql=checked.sql,
        flink_sql=flink_sql,
        spark_sql=render_query(checked.query, pairs, tile_ms, "spark"),
        columns=columns,
        features=features,
        grid=checked.grid,
        settings=checked.settings,
        sql_fingerprint=sql_print,
        data_fingerprint=data_fingerprint(
            sql_print, checked.source, checked.grid, columns, features, checked.settings
        ),
        metadata_fingerprint=metadata_fingerprint(
            checked.description, checked.owner, features, checked.settings
        ),
        file=checked.file,
        rows_meaning=digest(row_source(checked.query)),
    )


def _stored(call: AggregateCall, ask: Ask, grid: Grid) -> list[StoredColumn]:
    """Return the partials of one aggregate."""
    if call.aggregate != "avg":
        return [_column(call, call.name, call.aggregate, ask, grid)]
    return [
        _column(call, f"{call.name}#sum", "sum", ask, grid),
        _column(call, f"{call.name}#count", "count", ask, grid),
    ]


def _column(call: AggregateCall, name: str, kind: Kind, ask: Ask, grid: Grid) -> StoredColumn:
    value_type = value_type_of(call)
    decimal = value_type.scale if value_type.name == "DECIMAL" else 0
    fixed = call.aggregate in SUMMED and value_type.name in FIXED_POINT
    levels = {level for window in ask.windows_ms for level in grid.levels_for_window(window)}
    return StoredColumn(
        name=name,
        kind=kind,
        carrier=carrier_of(call.aggregate, value_type),
        value_type=value_type,
        scale=(ask.scale or 0) if fixed else decimal,
        n=call.n,
        levels=tuple(sorted(levels)),
        lifetime=ask.lifetime or ask.latest,
    )


def _events(features: tuple[Feature, ...], grid: Grid) -> StoredColumn:
    """Return `_events`: the count of events, at every level that any feature uses."""
    windows = {window for feature in features for window in feature.windows_ms}
    levels = {level for window in windows for level in grid.levels_for_window(window)}
    return StoredColumn(
        name=EVENTS_COLUMN,
        kind="count",
        carrier="int",
        value_type=BIGINT,
        scale=0,
        n=0,
        levels=tuple(sorted(levels)),
        lifetime=True,
    )


def _feature(
    call: AggregateCall, checked: Checked, pairs: list[tuple[StoredColumn, AggregateCall]]
) -> Feature:
    ask = checked.asks[call.name]
    own = [column for column, owner in pairs if owner is call]
    rows = row_source(checked.query)
    meaning = [rows, [partial(column, call, "flink") for column in own], own[0].n]
    return Feature(
        name=call.name,
        aggregate=call.aggregate,
        columns=tuple(column.name for column in own),
        windows_ms=ask.windows_ms,
        lifetime=ask.lifetime,
        latest=ask.latest,
        description=ask.description,
        meaning=digest(meaning),
    )
