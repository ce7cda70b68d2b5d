"""YAML read strictly into a tree whose every key and value knows its line and column.

Refused with a position: anchors and aliases (and with them YAML bombs), tags, duplicate keys,
several documents, too large or too deep files. Nothing is constructed but text, lists and mappings.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from feature_platform.definition.problems import Problems

FILE_BYTES_MAX = 262_144
DEPTH_MAX = 20
DIGITS_MAX = 18
"""Of a whole number, its sign included; a longer one stays the text that it is."""
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_SHOWN_MAX = 40
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place in a file, counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text, number, boolean or null, as written."""

    text: str
    kind: str
    """What YAML takes it for: str, int, float, bool, null, timestamp."""
    line: int
    column: int
    style: str = ""
    """`|`, `>`, a quote, or nothing for a plain one."""
    indent: int = 0
    """Columns that YAML took away from the lines of a block."""

    def spot(self, line: int, column: int) -> Spot:
        """Return where a place in the text is in the file (both counted from 1)."""
        if self.style == "|":
            return Spot(line=self.line + line, column=self.indent + column)
        opening = 1 if self.style else 0
        return Spot(line=self.line, column=self.column + opening + (column - 1 if line == 1 else 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    items: tuple["Node", ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping; keys are texts, whatever YAML would take them for (`on`, `yes`, `1`)."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    line: int
    column: int

    def get(self, key: str) -> "Node | None":
        """Return the value of a key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Items | Mapping
Data = str | int | bool | None | list["Data"] | dict[str, "Data"]


class _RefusedError(Exception):
    """A construct that YAML has and definitions do not."""

    def __init__(self, mark: yaml.Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses anchors, aliases, tags and deep nesting while it composes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            msg = (
                "anchors (&) and aliases (*) are not supported in definitions; write the value out"
            )
            raise _RefusedError(event.start_mark, msg)
        if getattr(event, "tag", None):
            msg = f"tag {event.tag!r} is not supported in definitions; remove it"
            raise _RefusedError(event.start_mark, msg)
        if self.depth >= DEPTH_MAX:
            msg = f"nested more than {DEPTH_MAX} levels deep; definitions need 4"
            raise _RefusedError(event.start_mark, msg)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(data: bytes, problems: Problems) -> Mapping | None:
    """Read one file's bytes.

    Args:
        data: The whole file.
        problems: Collects every mistake.

    Returns:
        The file's mapping, or None if it has none.
    """
    text = _decode(data, problems)
    if text is None:
        return None
    node = _compose(text, problems)
    if node is None:
        return None
    tree = _convert(node, _LINE_BREAK.split(text), problems)
    if not isinstance(tree, Mapping):
        problems.add(tree, f"a definition is a mapping of `key: value` lines, not {describe(tree)}")
        return None
    return tree


def describe(node: Node) -> str:
    """Say what a node is, for messages."""
    if isinstance(node, Items):
        return "a list" if node.items else "an empty list"
    if isinstance(node, Mapping):
        return "a mapping" if node.entries else "an empty mapping"
    if node.kind == "null":
        return "empty"
    shown = textwrap.shorten(node.text, _SHOWN_MAX, placeholder="...")
    return {"bool": "the boolean", "int": "the number", "float": "the number"}.get(
        node.kind, "the string"
    ) + f" `{shown}`"


def to_data(tree: Mapping) -> dict[str, Data]:
    """Return the tree as plain lists, dicts, texts, integers, booleans and None."""
    return {key.text: _data(value) for key, value in tree.entries}


def _data(node: Node) -> Data:
    if isinstance(node, Mapping):
        return to_data(node)
    if isinstance(node, Items):
        return [_data(item) for item in node.items]
    return _scalar_data(node)


def _scalar_data(node: Scalar) -> Data:
    if node.kind == "null":
        return None
    if node.kind == "bool":
        return node.text.lower() in {"true", "yes", "on"}
    if node.kind == "int" and is_decimal(node.text.removeprefix("+")):
        return int(node.text)
    return node.text


def is_decimal(text: str) -> bool:
    """Return whether a text is a whole number that every reader of it can hold."""
    return text.removeprefix("-").isdecimal() and len(text) <= DIGITS_MAX


def _decode(data: bytes, problems: Problems) -> str | None:
    if len(data) > FILE_BYTES_MAX:
        size = f"{len(data)} bytes; the limit is {FILE_BYTES_MAX}"
        problems.add(Spot(), f"the file has {size}: split it into several feature sets")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        spot = Spot(
            line=before.count(b"\n") + 1,
            column=len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1,
        )
        problems.add(spot, "the file is not UTF-8 from this position; save it as UTF-8")
        return None
    if not text.strip():
        problems.add(Spot(), "the file is empty; `fp new NAME` writes a feature set to start from")
        return None
    return text


def _compose(text: str, problems: Problems) -> yaml.Node | None:
    loader: _StrictLoader | None = None
    try:
        loader = _StrictLoader(text)
        node: yaml.Node | None = loader.get_single_node()
    except _RefusedError as error:
        problems.add(_spot(error.mark), error.message)
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        shown = f"U+{ord(text[error.position]):04X}"
        msg = f"character {shown} is not allowed in YAML; remove it"
        problems.add(Spot(line=line, column=column), msg)
        return None
    except yaml.MarkedYAMLError as error:
        problems.add(_spot(error.problem_mark or error.context_mark), _explain(error))
        return None
    except (ValueError, OverflowError):  # what PyYAML lets through of "\UFFFFFFFF"
        problems.add(Spot(), "a \\U escape in a quoted string is not a character; correct it")
        return None
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        problems.add(Spot(), "the file contains only comments; `fp new NAME` writes a feature set")
    return node


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "\\t" in problem:
        return "YAML does not allow a tab here; indent with spaces"
    if "mapping values are not allowed" in problem:
        return "unexpected `:`; check the indentation, or put the string in quotes"
    if "single document" in (error.context or "") or "another document" in problem:
        return "a second document starts here (`---`); write one definition per file"
    context = f" ({error.context})" if error.context else ""
    return f"not YAML: {problem}{context}; check indentation, quotes and brackets before this place"


def _spot(mark: yaml.Mark | None) -> Spot:
    return Spot(line=mark.line + 1, column=mark.column + 1) if mark else Spot()


def _convert(node: yaml.Node, lines: list[str], problems: Problems) -> Node:
    spot = _spot(node.start_mark)
    if isinstance(node, yaml.MappingNode):
        entries = tuple(_entries(node, lines, problems))
        return Mapping(entries=entries, line=spot.line, column=spot.column)
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_convert(item, lines, problems) for item in node.value)
        return Items(items=items, line=spot.line, column=spot.column)
    style = str(getattr(node, "style", None) or "")
    if _NO_TEXT.search(node.value):
        msg = (
            "the string contains a control character or an unpaired surrogate (\\0, \\ud800); "
            "remove it"
        )
        problems.add(spot, msg)
    return Scalar(
        text=node.value,
        kind=node.tag.removeprefix(_PREFIX) if node.tag in _PLAIN_TAGS else "str",
        line=spot.line,
        column=spot.column,
        style=style,
        indent=_indent(lines, spot.line) if style in {"|", ">"} else 0,
    )


def _entries(
    node: yaml.MappingNode, lines: list[str], problems: Problems
) -> Iterator[tuple[Scalar, Node]]:
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = _convert(key_node, lines, problems)
        if not isinstance(key, Scalar):
            problems.add(key, f"a key must be a word, not {describe(key)}")
        elif key.text in first:
            msg = f"duplicate key `{key.text}`, first used in line {first[key.text]}; keep one"
            problems.add(key, msg)
        else:
            first[key.text] = key.line
            yield key, _convert(value_node, lines, problems)


def _indent(lines: list[str], header: int) -> int:
    """Return the indentation of the block after its header's line (counted from 1)."""
    for line in lines[header:]:
        if line.strip(" "):
            return len(line) - len(line.lstrip(" "))
    return 0
