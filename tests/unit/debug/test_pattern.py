"""A pattern finds every record of an entity, however its key is written."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.debug.pattern import pattern_of
from feature_platform.definition.model import ColumnType


def finds(pattern: str, value: bytes) -> bool:
    """Return whether a record is found."""
    return bool(pc.match_substring_regex(pa.array([value], pa.binary()), pattern)[0].as_py())


def spellings(key: int) -> list[str]:
    """Return ways to write a whole number in JSON."""
    return [str(key), f'"{key}"', f"{key}.0", f"{key}e0", f"{key}0e-1"]


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 4), st.sampled_from(["", " ", "\n\t"]))
def test_whole_numbers(key: int, way: int, blank: str) -> None:
    """As a number, as a text, with a point or an exponent; whatever is around it."""
    pattern = pattern_of("user_id", ColumnType(name="BIGINT"), str(key))
    number = spellings(key)[way]
    event = f'{{"x":1,"user_id"{blank}:{blank}{number}{blank},"y":"user"}}'
    assert finds(pattern, event.encode())


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20), st.booleans())
def test_texts(key: str, ascii_only: bool) -> None:
    """Escaped or not."""
    if any("\ud800" <= each <= "\udfff" for each in key):
        return
    pattern = pattern_of("name", ColumnType(name="STRING"), key)
    event: dict[str, Any] = {"name": key, "y": 1}
    assert finds(pattern, json.dumps(event, ensure_ascii=ascii_only).encode())


def test_others_are_left_out() -> None:
    """A longer number, another field, another text."""
    pattern = pattern_of("user_id", ColumnType(name="BIGINT"), "17")
    for event in (b'{"user_id": 171}', b'{"item_id": 17, "user_id": 3}', b'{"user_id": 117}'):
        assert not finds(pattern, event)
    text = pattern_of("name", ColumnType(name="STRING"), "a.c")
    assert finds(text, b'{"name": "a.c"}')
    assert not finds(text, b'{"name": "abc"}')


def test_other_types_are_searched_whole() -> None:
    """There is no pattern that would miss nothing."""
    assert not pattern_of("flag", ColumnType(name="BOOLEAN"), "true")
