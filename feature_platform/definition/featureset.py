"""A feature set's YAML: the query, what is asked of its features, and settings."""

import re
from dataclasses import replace
from itertools import pairwise

from feature_platform.definition.assemble import CheckedParts, assemble
from feature_platform.definition.expression import Query
from feature_platform.definition.features import read_features
from feature_platform.definition.fields import Fields
from feature_platform.definition.limits import StatisticsRules, of_operand
from feature_platform.definition.model import FeatureSet, FeatureSetSettings, Source
from feature_platform.definition.names import check_name, unknown
from feature_platform.definition.problems import Place, Problems
from feature_platform.definition.query import QueryReader
from feature_platform.definition.read_examples import read_tests
from feature_platform.definition.read_limits import IN_FEATURESET, read_rules
from feature_platform.definition.sql_text import SqlText
from feature_platform.definition.yaml_tree import Items, Mapping, Scalar, Spot
from feature_platform.tiles.grid import Grid, format_duration
from feature_platform.tiles.size import (
    HEAD_BYTES_MAX,
    TEXT_BYTES_MAX,
    column_bytes_max,
    head_bytes_max,
)

TESTS = "tests"
KEYS = (
    "featureset", "description", "owner", "entity", "source", "sql", "features", "grid", "settings",
    "statistics", TESTS,
)  # fmt: skip
SETTINGS = (
    "state_ttl", "sql_state_ttl", "checkpoint_interval", "flush_interval", "parallelism", "keep",
    "on_change",
)  # fmt: skip
LEVELS_MAX = 12
PARALLELISM_MAX = 128
LARGEST_SHOWN = 3
"""How many features are named of those that make a row too large."""
ENTITY_TYPES = ("BIGINT", "INT", "STRING")
_EXPRESSION = re.compile(r"[(),|+*/]|\w\s+\w")
_SEND_IT = (
    "send it as one column of the event (a pair too, such as '17|99'), and list it in the source"
)
_SECOND_MS, _MINUTE_MS, _HOUR_MS, _DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
_DEFAULTS = FeatureSetSettings()


def read_featureset(
    tree: Mapping, sources: dict[str, Source | None], problems: Problems
) -> FeatureSet | None:
    """Check a feature set's YAML.

    Args:
        tree: The file.
        sources: The project's sources by name; None for one that has mistakes of its own.
        problems: Collects every mistake; may know some of the file's form already.

    Returns:
        The feature set, or None if there was a mistake.
    """
    fields = Fields(tree, KEYS, problems)
    name = fields.scalar("featureset", example="post_engagement")
    if name is not None:
        check_name(name.text, "feature set", name, problems)
    description, owner = fields.text("description"), fields.text("owner")
    source = _source(fields, sources)
    entity = _entity(fields, source)
    grid = _grid(fields)
    settings = _settings(fields)
    sql = fields.scalar("sql", example="|")
    query, names = None, None
    if sql is not None and source is not None and entity:
        query, names = _query(SqlText(sql, problems), source, entity)
    asks = read_features(fields, names, query, grid)
    statistics = _statistics(fields, names, query)
    if problems.found or query is None or source is None or not name or not sql:
        read_tests(fields, None)
        return None
    made = assemble(
        CheckedParts(
            name=name.text,
            description=description,
            owner=owner,
            source=source,
            sql=sql.text,
            query=query,
            asks=asks,
            grid=grid,
            settings=settings,
            file=problems.file,
        )
    )
    tests = read_tests(fields, made.served_types)
    made = replace(made, statistics=statistics, tests=tests)
    fits = _fits_a_row(made, fields.key("features"), problems)
    return made if fits and not problems.found else None


def _fits_a_row(made: FeatureSet, place: Place, problems: Problems) -> bool:
    """Check that no event can make a row that a store refuses; if one can, say which is large."""
    bytes_max = head_bytes_max(made.grid, made.columns)
    if bytes_max <= HEAD_BYTES_MAX:
        return True
    sizes = {column.name: column_bytes_max(made.grid, column) for column in made.columns}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST_SHOWN]
    named = ", ".join(f"`{name}` {size:,}" for name, size in largest)
    msg = (
        f"an entity's row may need {bytes_max:,} bytes, the limit is {HEAD_BYTES_MAX:,} (strings "
        f"are kept up to {TEXT_BYTES_MAX:,} bytes). The largest are {named}; keep fewer items, or "
        "split the features into several feature sets"
    )
    problems.add(place, msg)
    return False


def _source(fields: Fields, sources: dict[str, Source | None]) -> Source | None:
    named = fields.scalar("source", example="post_events")
    if named is None:
        return None
    if named.text not in sources:
        msg = unknown("source", named.text, sources)
        fields.problems.add(named, f"{msg} (sources are in the folder `sources`)")
        return None
    source = sources[named.text]
    if source is None:
        fields.problems.add(named, f"source `{named.text}` has errors of its own; fix them first")
    return source


def _entity(fields: Fields, source: Source | None) -> str:
    """Return the entity column, or nothing if it is wrong."""
    several = fields.mapping.get("entity")
    if isinstance(several, Items):
        fields.problems.add(several, f"an entity is one column; {_SEND_IT}")
        return ""
    named = fields.scalar("entity", example="post_id")
    if named is None or source is None:
        return ""
    columns = dict(source.columns)
    if named.text not in columns:
        msg = unknown("column", named.text, columns, where=f" in source `{source.name}`")
        fields.problems.add(named, _no_column(named.text, fields) or msg)
        return ""
    if columns[named.text].name not in ENTITY_TYPES:
        kinds = ", ".join(ENTITY_TYPES)
        msg = f"entity `{named.text}` is {columns[named.text]}; an entity is one of {kinds}"
        fields.problems.add(named, msg)
        return ""
    if source.history and named.text not in dict(source.history.columns):
        msg = (
            f"entity `{named.text}`: the history of source `{source.name}` does not have this "
            "column, so none of its events would count; map it in `columns` of its `history`"
        )
        fields.problems.add(named, msg)
        return ""
    return named.text


def _no_column(text: str, fields: Fields) -> str:
    """Return what to do about an entity that is more than a column; empty if it is a mistake."""
    if _EXPRESSION.search(text):
        return f"entity `{text}`: an entity is one column of the source; {_SEND_IT}"
    sql = fields.mapping.get("sql")
    computed = rf"\bAS\s+[`\"]?{re.escape(text)}\b"
    if isinstance(sql, Scalar) and re.search(computed, sql.text, re.IGNORECASE):
        return (
            f"entity `{text}` is computed by the query, but an entity must be a source column; "
            f"{_SEND_IT}"
        )
    return ""


def _grid(fields: Fields) -> Grid:
    levels = fields.durations("grid", LEVELS_MAX)
    node = fields.mapping.get("grid")
    if levels is None or node is None or not isinstance(node, Items):
        return Grid.of()
    if len(levels) < len(node.items):
        return Grid.of()
    for (finer, _), (coarser, place) in pairwise(levels):
        if coarser <= finer or coarser % finer:
            msg = (
                f"level {format_duration(coarser)} must be longer than the level before it, "
                f"{format_duration(finer)}, and a multiple of it, so that tiles nest"
            )
            fields.problems.add(place, msg)
            return Grid.of()
    return Grid.of(tuple(format_duration(length) for length, _ in levels))


def _settings(fields: Fields) -> FeatureSetSettings:
    mapping = fields.submapping("settings")
    if mapping is None:
        return _DEFAULTS
    read = Fields(mapping, SETTINGS, fields.problems, within=" in `settings`")
    parallelism = read.integer("parallelism", 1, PARALLELISM_MAX)
    on_change = read.choice("on_change", ("forward", "rebuild"), _DEFAULTS.on_change)
    return FeatureSetSettings(
        state_ttl_ms=read.duration_ms(
            "state_ttl", _DEFAULTS.state_ttl_ms, _MINUTE_MS, 30 * _DAY_MS
        ),
        sql_state_ttl_ms=read.duration_ms(
            "sql_state_ttl", _DEFAULTS.sql_state_ttl_ms, _MINUTE_MS, _DAY_MS
        ),
        checkpoint_interval_ms=read.duration_ms(
            "checkpoint_interval", _DEFAULTS.checkpoint_interval_ms, _SECOND_MS, _HOUR_MS
        ),
        flush_interval_ms=read.duration_ms(
            "flush_interval", _DEFAULTS.flush_interval_ms, _SECOND_MS, _MINUTE_MS
        ),
        parallelism=_DEFAULTS.parallelism if parallelism is None else parallelism,
        keep_ms=read.duration_ms("keep", _DEFAULTS.keep_ms, _MINUTE_MS, 3_650 * _DAY_MS),
        on_change="rebuild" if on_change == "rebuild" else "forward",
    )


def _statistics(
    fields: Fields, names: dict[str, Spot] | None, query: Query | None
) -> StatisticsRules:
    """Return how events are judged; features of a query that has mistakes have any measure."""
    calls = {call.name: call for call in query.calls} if query else {}
    known = {
        name: of_operand(call.argument.type.name if call.argument else "")
        for name, call in calls.items()
    }
    if not query:
        known = dict.fromkeys(names or (), of_operand("BIGINT"))
        if names is None and fields.mapping.get("statistics") is not None:
            return StatisticsRules()  # what the query would say is not known
    return read_rules(fields, known, fields.problems, IN_FEATURESET)


def _query(
    sql: SqlText, source: Source, entity: str
) -> tuple[Query | None, dict[str, Spot] | None]:
    """Return the query, and its aggregates' names even if it has mistakes."""
    reader = QueryReader(sql, source, entity)
    try:
        return reader.read(), reader.names
    except RecursionError:
        sql.problems.add(sql.at(0), "the query is nested too deeply; use WITH parts or simplify it")
        return None, None
