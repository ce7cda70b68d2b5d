"""Puts a checked feature set together: stored columns, both texts of SQL, fingerprints."""

from dataclasses import dataclass

from feature_platform.definition.aggregates import (
    FIXED_POINT,
    SUMMED,
    carrier_of,
    value_type_of,
)
from feature_platform.definition.event_rows import event_rows
from feature_platform.definition.expression import BIGINT, AggregateCall, Query
from feature_platform.definition.features import FeatureEntry
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
from feature_platform.definition.ranges import (
    fits_sum,
    lost_of_sum,
    needs_high,
    source_column,
)
from feature_platform.definition.reads import columns_read
from feature_platform.definition.render import partial, render_query, row_source
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import BEYOND, EVENTS_COLUMN, HIGH, Kind, completes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedParts:
    """The parts of a feature set in which no mistake was found."""

    name: str
    description: str
    owner: str
    source: Source
    sql: str
    query: Query
    asks: dict[str, FeatureEntry]
    grid: Grid
    settings: FeatureSetSettings
    file: str


def assemble(checked: CheckedParts) -> FeatureSet:
    """Return the feature set."""
    calls = checked.query.calls
    pairs = [(column, call) for call in calls for column in _stored(call, checked)]
    features = tuple(_feature(call, checked, pairs) for call in calls)
    columns = (_events(features, checked.grid), *(column for column, _ in pairs))
    tile_ms = checked.grid.levels_ms[0]
    flink_sql = render_query(checked.query, pairs, tile_ms, "flink")
    reads = columns_read(checked.query, checked.source)
    sql_print = sql_fingerprint(flink_sql, reads)
    return FeatureSet(
        name=checked.name,
        description=checked.description,
        owner=checked.owner,
        entity=checked.query.entity,
        source=checked.source,
        reads=reads,
        sql=checked.sql,
        flink_sql=flink_sql,
        spark_sql=render_query(checked.query, pairs, tile_ms, "spark"),
        columns=columns,
        sum_scales=_sum_scales(checked.query, checked.asks),
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
        event_rows=event_rows(checked.query),
    )


def _stored(call: AggregateCall, checked: CheckedParts) -> list[StoredColumn]:
    """Return the partials of one aggregate."""
    ask, grid = checked.asks[call.name], checked.grid
    if call.aggregate != "avg":
        made = [_column(call, call.name, call.aggregate, ask, grid)]
    else:
        made = [
            _column(call, f"{call.name}#sum", "sum", ask, grid),
            _column(call, f"{call.name}#count", "count", ask, grid),
        ]
    if call.aggregate in SUMMED and call.argument is not None:
        scale = made[0].scale
        if needs_high(call.argument, scale):
            made.append(_column(call, f"{call.name}{HIGH}", "sum", ask, grid))
        if lost_of_sum(call, scale, checked.query) is not None:
            made.append(_column(call, f"{call.name}{BEYOND}", "count", ask, grid))
    return made


def _sum_scales(query: Query, asks: dict[str, FeatureEntry]) -> tuple[tuple[str, int], ...]:
    """Return the columns of the source whose events the intake refuses beyond a sum's range."""
    scales: dict[str, int] = {}
    for call in query.calls:
        if call.aggregate not in SUMMED or call.argument is None:
            continue
        name, scale = source_column(call, query), asks[call.name].scale or 0
        fixed = call.argument.type.name in FIXED_POINT
        if fixed and name is not None and not fits_sum(call.argument, scale):
            scales[name] = max(scale, scales.get(name, 0))
    return tuple(sorted(scales.items()))


def _column(
    call: AggregateCall, name: str, kind: Kind, ask: FeatureEntry, grid: Grid
) -> StoredColumn:
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
    call: AggregateCall, checked: CheckedParts, pairs: list[tuple[StoredColumn, AggregateCall]]
) -> Feature:
    ask = checked.asks[call.name]
    own = [column for column, owner in pairs if owner is call]
    rows = row_source(checked.query)
    telling = [column for column in own if not completes(column.name)]
    meaning = [
        rows,
        [partial(column, call, "flink", checked.query) for column in telling],
        own[0].n,
    ]
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
