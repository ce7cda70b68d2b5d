"""A source's YAML: a topic and the columns of its events."""

import re
from typing import cast, get_args

from feature_platform.definition.fields import Fields
from feature_platform.definition.history import read_history
from feature_platform.definition.model import MAX_PAST_MS, ColumnType, Source, TimeUnit, TypeName
from feature_platform.definition.names import TOPIC, check_column, check_name, unknown
from feature_platform.definition.problems import Problems, did_you_mean
from feature_platform.definition.yaml_tree import Mapping, Node, Scalar

KEYS = (
    "source", "description", "topic", "format", "event_time", "event_time_unit", "max_future",
    "max_past", "columns", "labels", "history",
)  # fmt: skip
TIME_UNITS: tuple[TimeUnit, ...] = get_args(TimeUnit)
COLUMNS_MAX = 500
DECIMAL_PRECISION_MAX = 18
MAX_FUTURE_MS = 300_000
_MAX_FUTURE_MS_MAX = 30 * 86_400_000
_MAX_PAST_MS_MAX = 36_500 * 86_400_000
_SECOND_MS = 1_000
_SIMPLE: dict[str, TypeName] = {
    "BIGINT": "BIGINT",
    "INT": "INT",
    "DOUBLE": "DOUBLE",
    "STRING": "STRING",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP",
}
_OTHER_NAMES = {
    "INTEGER": "INT", "LONG": "BIGINT", "SMALLINT": "INT", "TINYINT": "INT", "TEXT": "STRING",
    "VARCHAR": "STRING", "CHAR": "STRING", "FLOAT": "DOUBLE", "REAL": "DOUBLE", "BOOL": "BOOLEAN",
    "NUMERIC": "DECIMAL(18,2)", "DECIMAL": "DECIMAL(18,2)", "DATE": "TIMESTAMP",
    "DATETIME": "TIMESTAMP", "TIMESTAMP_LTZ": "TIMESTAMP",
}  # fmt: skip
_DECIMAL = re.compile(r"DECIMAL\(\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?\)")


def read_source(tree: Mapping, problems: Problems) -> Source | None:
    """Check a source's YAML.

    Args:
        tree: The file.
        problems: Collects every mistake; may know some of the file's form already.

    Returns:
        The source, or None if there was a mistake.
    """
    fields = Fields(tree, KEYS, problems)
    name = fields.scalar("source", example="post_events")
    if name is not None:
        check_name(name.text, "source", name, problems)
    topic = fields.scalar("topic", example=name.text if name else "post_events")
    if topic is not None and not TOPIC.fullmatch(topic.text):
        msg = (
            f"`{topic.text}` is not a Kafka topic: use up to 200 letters, digits, `.`, `_` and "
            "`-`, and neither `.` nor `..` alone"
        )
        problems.add(topic, msg)
    fields.choice("format", ("json",), "json")
    columns = _columns(fields)
    event_time = _event_time(fields, columns)
    future = fields.duration_ms("max_future", MAX_FUTURE_MS, _SECOND_MS, _MAX_FUTURE_MS_MAX)
    past = fields.duration_ms("max_past", MAX_PAST_MS, _SECOND_MS, _MAX_PAST_MS_MAX)
    unit = fields.choice("event_time_unit", TIME_UNITS, "ms")
    description = fields.text("description")
    history = read_history(fields, columns, event_time)
    if problems.found or name is None or topic is None:
        return None
    return Source(
        name=name.text,
        topic=topic.text,
        format="json",
        event_time=event_time,
        event_time_unit=cast("TimeUnit", unit),
        max_future_ms=future,
        max_past_ms=past,
        columns=tuple(columns.items()),
        history=history,
        description=description,
        file=problems.file,
    )


def parse_type(text: str) -> ColumnType:
    """Read a column type such as `BIGINT` or `DECIMAL(10,2)`.

    Raises:
        ValueError: There is no such type; the text says which there are.
    """
    upper = text.strip().upper()
    if upper in _SIMPLE:
        return ColumnType(name=_SIMPLE[upper])
    match = _DECIMAL.fullmatch(upper)
    if match:
        return _decimal(text, int(match[1]), int(match[2] or 0))
    if upper.startswith("DECIMAL("):
        msg = f"`{text}` is cut off at its comma: put the type in quotes, 'DECIMAL(10,2)'"
        raise ValueError(msg)
    other = _OTHER_NAMES.get(upper.partition("(")[0].strip())
    hint = f"; write `{other}`" if other else did_you_mean(upper, _SIMPLE)
    msg = f"unknown type `{text}`; types are {', '.join(_SIMPLE)} and DECIMAL(p,s){hint}"
    raise ValueError(msg)


def _decimal(text: str, precision: int, scale: int) -> ColumnType:
    if not (1 <= precision <= DECIMAL_PRECISION_MAX and scale <= precision):
        msg = f"`{text}`: precision is 1 to {DECIMAL_PRECISION_MAX}, scale 0 to the precision"
        raise ValueError(msg)
    return ColumnType(name="DECIMAL", precision=precision, scale=scale)


def _columns(fields: Fields) -> dict[str, ColumnType]:
    mapping = fields.submapping("columns", example="{post_id: BIGINT, ts: TIMESTAMP}")
    columns: dict[str, ColumnType] = {}
    if mapping is None:
        return columns
    problems = fields.problems
    if not 1 <= len(mapping.entries) <= COLUMNS_MAX:
        msg = f"a source has 1 to {COLUMNS_MAX} columns, this one has {len(mapping.entries)}"
        problems.add(fields.key("columns"), msg)
        return columns
    lower: dict[str, str] = {}
    for key, node in mapping.entries:
        if key.text.endswith(")") and isinstance(node, Scalar) and node.kind == "null":
            continue  # the rest of a DECIMAL(10,2) that YAML cut at its comma, reported already
        read = _type(node, key, fields)
        other = lower.setdefault(key.text.lower(), key.text)
        if other != key.text:
            msg = (
                f"`{key.text}` and `{other}` differ only in case, which Spark does not distinguish"
            )
            problems.add(key, f"{msg}; remove one")
        if check_column(key.text, key, problems) and read is not None:
            columns[key.text] = read
    return columns


def _type(node: Node, key: Scalar, fields: Fields) -> ColumnType | None:
    text = fields.as_text(node, f"the type of column `{key.text}`")
    if text is None:
        return None
    try:
        return parse_type(text.text)
    except ValueError as error:
        fields.problems.add(text, f"column `{key.text}`: {error}")
        return None


def _event_time(fields: Fields, columns: dict[str, ColumnType]) -> str:
    column = fields.scalar("event_time", example="ts")
    if column is None or not columns:
        return ""
    if column.text not in columns:
        declared = fields.mapping.get("columns")
        known = isinstance(declared, Mapping) and declared.get(column.text) is not None
        if not known:
            msg = unknown("column", column.text, columns, where=" in `event_time`")
            fields.problems.add(column, msg)
        return ""
    if columns[column.text].name not in {"TIMESTAMP", "BIGINT"}:
        msg = (
            f"`event_time` column `{column.text}` is {columns[column.text]}; "
            "declare it TIMESTAMP, or BIGINT for a number since 1970"
        )
        fields.problems.add(column, msg)
    return column.text
