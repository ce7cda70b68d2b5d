"""A block of logged commands, a record of a changelog's topic; the kernel's `ChangeBlock`.

Its value is rows of ClickHouse's RowBinary, which go there as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from feature_platform.errors import CorruptRecordError

FORMAT = "1"
FIXED = (
    ("attempt", "Int32"),
    ("checkpoint_id", "Int64"),
    ("flush", "Int64"),
    ("subtask", "Int32"),
    ("seq", "Int64"),
    ("at_ms", "Int64"),
    ("kind", "Int8"),
    ("entity", "String"),
    ("tile_ms", "Int64"),
)
"""What every row begins with."""
TYPES = {"int": "Nullable(Int64)", "bytes": "Nullable(String)"}
"""Of the partials that follow, by what the header calls them."""
KINDS = {"+I": 0, "-U": 1, "+U": 2, "-D": 3, "barrier": 4, "watched": 5, "not watched": 6}
PLUS, MINUS = ("+I", "+U"), ("-U", "-D")
COMMANDS = (*PLUS, *MINUS)
BILLIONTHS = 1_000_000_000
"""Of a share, which a marker has in place of a tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the rows of a block."""

    name: str
    id: int
    type: Literal["int", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Whose commands a block holds, and in which columns."""

    generation: int
    fingerprint: str
    columns: tuple[Column, ...]

    @property
    def structure(self) -> str:
        """The rows' columns in ClickHouse's words; partials are `v0`, `v1` and so on."""
        values = (f"v{place} {TYPES[each.type]}" for place, each in enumerate(self.columns))
        return ", ".join([*(f"{name} {kind}" for name, kind in FIXED), *values])


def read_header(headers: Sequence[tuple[str, Any]] | None, featureset: str) -> Header:
    """Read the headers of a record.

    Raises:
        CorruptRecordError: They are not those of a block of this feature set.
    """
    found = {name: bytes(value).decode(errors="replace") for name, value in headers or () if value}
    if found.get("format") != FORMAT:
        msg = f"a block of format {found.get('format')!r}; this version reads {FORMAT!r}"
        raise CorruptRecordError(msg)
    if found.get("featureset") != featureset:
        msg = f"a block of feature set {found.get('featureset')!r}"
        raise CorruptRecordError(msg)
    try:
        columns = tuple(
            Column(name=str(name), id=int(number), type=_type(kind))
            for name, number, kind in json.loads(found["columns"])
        )
        return Header(
            generation=int(found["generation"]),
            fingerprint=found["fingerprint"],
            columns=columns,
        )
    except (KeyError, ValueError, TypeError) as error:
        msg = f"a block whose headers cannot be read: {error!r}"
        raise CorruptRecordError(msg) from error


def _type(kind: object) -> Literal["int", "bytes"]:
    if kind == "int":
        return "int"
    if kind == "bytes":
        return "bytes"
    msg = f"a column of type {kind!r}"
    raise ValueError(msg)
