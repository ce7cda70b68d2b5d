"""A source's `history:`: the table that has its events from before the topic took over."""

from collections.abc import Collection
from typing import cast, get_args

from feature_platform.clock import from_iso
from feature_platform.definition.fields import Fields
from feature_platform.definition.model import History, TableFormat
from feature_platform.definition.names import unknown
from feature_platform.definition.problems import listing
from feature_platform.definition.yaml_tree import Items, Mapping, Node, Scalar, describe

KEYS = ("files", "format", "until", "columns", "version", "delimiter", "null_value")
CSV_KEYS = ("delimiter", "null_value")
FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
WITHIN = " in `history`"
PATTERNS_MAX = 100
"""Entries of `files`; each may be a folder or a pattern."""
VERSION_MAX = 1_000_000
LAST_MS = 253_402_300_799_999
"""The end of the year 9999, as for events."""
UNTIL = "2026-01-01T00:00:00Z"


def read_history(source: Fields, columns: Collection[str], event_time: str) -> History | None:
    """Read a source's `history`.

    Args:
        source: The source's fields.
        columns: The source's columns; empty if they have mistakes.
        event_time: The column of the event time; empty if it has mistakes.

    Returns:
        None if there is none, or if it has mistakes.
    """
    tree = source.submapping("history")
    if tree is None:
        return None
    fields = Fields(tree, KEYS, source.problems, within=WITHIN)
    files = _files(fields)
    kind = fields.choice("format", FORMATS, "parquet")
    version = fields.integer("version", 0 if kind == "delta" else 1, VERSION_MAX)
    if kind == "delta":
        _check_delta(fields, files)
    return History(
        files=files,
        format=cast("TableFormat", kind),
        until_ms=_until_ms(fields),
        columns=_columns(fields, columns, event_time),
        version=1 if version is None else version,
        delimiter=_delimiter(fields, kind),
        null_value=_csv_text(fields, "null_value", kind),
    )


def _files(fields: Fields) -> tuple[str, ...]:
    node = fields.node("files", example="warehouse/post_events/*.parquet")
    if node is None:
        return ()
    items = node.items if isinstance(node, Items) else (node,)
    if not 1 <= len(items) <= PATTERNS_MAX:
        msg = f"`files`{WITHIN} has {len(items)} entries; write 1 to {PATTERNS_MAX}"
        fields.problems.add(node, msg)
        return ()
    texts = [fields.as_text(item, f"an entry of `files`{WITHIN}") for item in items]
    return tuple(text.text.strip() for text in texts if text)


def _check_delta(fields: Fields, files: tuple[str, ...]) -> None:
    """Of a Delta table its folder and one version are named: that never has other rows."""
    if fields.mapping.get("version") is None:
        msg = (
            f"`version`{WITHIN} is missing: name the version of the Delta table to import, as "
            "DESCRIBE HISTORY shows it"
        )
        fields.problems.add(fields.key("format"), msg)
    if len(files) > 1 or any(character in "".join(files) for character in "*?[]{}"):
        msg = f"`files`{WITHIN} of `format: delta` must be the folder of one table, no pattern"
        fields.problems.add(fields.key("files"), msg)


def _until_ms(fields: Fields) -> int:
    """Read the seam, which must say its zone: a table is cut there once and for all."""
    text = fields.scalar("until", example=UNTIL)
    if text is None:
        return 0
    written = text.text.strip()
    try:
        until_ms = from_iso(written)
    except ValueError:
        until_ms = -1
    zoned = written.upper().endswith("Z") or "+" in written[10:] or "-" in written[10:]
    if not 0 < until_ms <= LAST_MS or not zoned:
        msg = (
            f"`until`{WITHIN} must be an instant with its zone such as {UNTIL}, not `{written}`: "
            "events before it come from the table, all others from the topic"
        )
        fields.problems.add(text, msg)
    return until_ms


def _columns(
    fields: Fields, columns: Collection[str], event_time: str
) -> tuple[tuple[str, str], ...]:
    tree = fields.submapping("columns", example=f"{{{event_time or 'ts'}: event_timestamp}}")
    if tree is None or not columns:
        return ()
    found: list[tuple[str, str]] = []
    for key, node in tree.entries:
        if key.text not in columns:
            msg = unknown("column", key.text, columns, where=" in `columns` of `history`")
            fields.problems.add(key, msg)
        elif not _is_null(node):
            text = fields.as_text(node, f"`{key.text}` in `columns` of `history`")
            found += [(key.text, text.text)] if text else []
    _check_all(fields, tree, columns, event_time)
    return tuple(sorted(found))


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind == "null"


def _check_all(fields: Fields, tree: Mapping, columns: Collection[str], event_time: str) -> None:
    """Every column of the source is named: one that is forgotten would be NULL for years."""
    missing = [name for name in columns if tree.get(name) is None and name != event_time]
    if event_time and tree.get(event_time) is None:
        msg = f"`columns`{WITHIN} lacks the event time: name the table's column of `{event_time}`"
        fields.problems.add(fields.key("columns"), msg)
    if missing:
        msg = (
            f"`columns`{WITHIN} lacks {listing(missing)}: name the table's column of each column "
            f"of the source, or write `{missing[0]}: null` if the table has none"
        )
        fields.problems.add(fields.key("columns"), msg)
    if event_time and (node := tree.get(event_time)) is not None and _is_null(node):
        msg = f"`{event_time}` in `columns` of `history` is the event time: name the table's column"
        fields.problems.add(node, msg)


def _delimiter(fields: Fields, kind: str) -> str:
    text = _csv_text(fields, "delimiter", kind)
    if text and (len(text) != 1 or text in '"\r\n\\' or not text.isascii()):
        node = fields.node("delimiter")
        msg = f'`delimiter`{WITHIN} must be one character such as `;` or a tab ("\\t")'
        fields.problems.add(node if node is not None else fields.mapping, msg)
        return ","
    return text or ","


def _csv_text(fields: Fields, name: str, kind: str) -> str:
    """Return what only CSV needs, blanks included; empty if it is not written."""
    node = fields.node(name)
    if node is None:
        return ""
    if kind != "csv":
        fields.problems.add(fields.key(name), f"`{name}`{WITHIN} is for `format: csv`; remove it")
        return ""
    if isinstance(node, Scalar) and node.kind == "str":
        return node.text
    msg = f"`{name}`{WITHIN} must be a string in quotes, not {describe(node)}"
    fields.problems.add(node, msg)
    return ""
