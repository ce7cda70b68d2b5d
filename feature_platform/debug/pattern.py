"""Which records may be an entity's, judged by their bytes: so that few of a log are parsed. Pure.

A pattern never misses a record of the entity; it may find others, which the reading of them leaves
out. What may be written in several ways (an escape, an exponent) is always found.
"""

import json
import re

from feature_platform.definition.model import ColumnType

WHOLE = frozenset({"BIGINT", "INT"})
_ESCAPE = r"\\"
_BLANKS = r"[ \t\r\n]*"


def pattern_of(column: str, kind: ColumnType, entity: str) -> str:
    """Return a regular expression (RE2) that the bytes of an entity's records match.

    Args:
        column: The field that holds the entity.
        kind: Its type.
        entity: The key as the store has it.

    Returns:
        The expression; empty: every record may be one.
    """
    field = f'"{re.escape(column)}"{_BLANKS}:{_BLANKS}'
    if kind.name in WHOLE:
        number = "-?0" if entity == "0" else re.escape(entity)
        return f'{field}"?{number}(?:[^0-9]|$)|{field}"?-?[0-9.]+[eE]|{_ESCAPE}'
    if kind.name == "STRING":
        plain = json.dumps(entity, ensure_ascii=False)
        return f"{field}{re.escape(plain)}|{_ESCAPE}"
    return ""
