"""Which records may be an entity's, judged by their bytes: so that few of a log are parsed. Pure.

A pattern never misses a record of the entity; it may find others, which the reading of them leaves
out. What may be written in several ways (an escape, an exponent) is always found. Of escapes only
those in a field's name and in the key's value can matter: texts of others are full of them.
"""

import json
import re

from feature_platform.definition.model import ColumnType

WHOLE = frozenset({"BIGINT", "INT"})
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BLANKS = r"[ \t\r\n]*"
_ESCAPED_NAME = rf'[{{,]{_BLANKS}"[^"\\]*\\.(?:[^"\\]|\\.)*"{_BLANKS}:'
"""It begins where a name does, so that no text is looked through from each of its escapes."""
_ESCAPED_VALUE = r'"[^"\\]*\\'


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
    number = "-?0" if entity == "0" else re.escape(entity)
    if kind.name in WHOLE:
        values = [f'"?{number}(?:[^0-9]|$)', '"?-?[0-9.]+[eE]']
    elif kind.name == "STRING":
        text = json.dumps(entity, ensure_ascii=False).removesuffix('"')
        values = [f'{re.escape(text)}(?:"|$)']
        values += [f"{number}(?:[^0-9]|$)"] if _NUMBER.fullmatch(entity) else []
    else:
        return ""
    return f"{field}(?:{'|'.join([*values, _ESCAPED_VALUE])})|{_ESCAPED_NAME}"
