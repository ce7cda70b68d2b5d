"""A pattern finds every record of an entity, however its key is written."""

import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.debug.pattern import pattern_of
from feature_platform.definition.model import ColumnType


def finds(pattern: str, value: bytes) -> bool:
    """Return whether a record is found: in files by RE2, in Kafka by Python, which agree."""
    found = bool(pc.match_substring_regex(pa.array([value], pa.binary()), pattern)[0].as_py())
    assert found == bool(re.search(pattern.encode(), value))
    return found


def escaped(text: str, chosen: int) -> str:
    """Write a JSON text with one of its characters as an escape."""
    at = chosen % len(text)
    units = text[at].encode("utf-16-be").hex()
    written = "".join(f"\\u{units[each : each + 4]}" for each in range(0, len(units), 4))
    before, after = (
        json.dumps(each, ensure_ascii=False)[1:-1] for each in (text[:at], text[at + 1 :])
    )
    return f'"{before}{written}{after}"'


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


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20), st.integers(0, 40), st.booleans())
def test_any_character_may_be_escaped(key: str, chosen: int, of_name: bool) -> None:
    """In the field's name, or in its value."""
    if any("\ud800" <= each <= "\udfff" for each in key):
        return
    name = escaped("user_id", chosen) if of_name else '"user_id"'
    value = json.dumps(key) if of_name else escaped(key, chosen)
    event = f'{{"x" : "a,", {name} :\n{value}}}'
    assert json.loads(event)["user_id"] == key
    assert finds(pattern_of("user_id", ColumnType(name="STRING"), key), event.encode())


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 40), st.booleans())
def test_a_number_may_be_a_text_with_escapes(key: int, chosen: int, of_name: bool) -> None:
    """As any text."""
    name = escaped("user_id", chosen) if of_name else '"user_id"'
    value = str(key) if of_name else escaped(str(key), chosen)
    pattern = pattern_of("user_id", ColumnType(name="BIGINT"), str(key))
    assert finds(pattern, f'{{"x":[1,{{}}],{name}:{value}}}'.encode())


@pytest.mark.parametrize("key", ["4711", "-3", "1.5", "1e5", "0"])
def test_a_text_key_may_be_sent_as_a_number(key: str) -> None:
    """It is a dead letter, and the entity's; so is one that is cut off."""
    pattern = pattern_of("name", ColumnType(name="STRING"), key)
    assert finds(pattern, f'{{"name": {key}}}'.encode())
    assert finds(pattern, f'{{"name": "{key}'.encode())
    assert not finds(pattern, f'{{"name": {key}7}}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        r"gr\u00fcn",
        r"http:\/\/x\/",
        r"{\"user_id\":17,\"name\":\"a.c\"}",
        r"a \"b\": c",
        r"a, \"b\": c",
    ],
)
def test_escapes_of_others_are_left_out(text: str) -> None:
    """Texts are full of them, whoever's they are."""
    for event in (
        f'{{"user_id": 3, "name": "x", "text": "{text}", "y": "{text}"}}',
        f'{{"texts": ["{text}", "{text}"], "user_id": 3, "name": "x"}}',
    ):
        assert json.loads(event)
        assert not finds(pattern_of("user_id", ColumnType(name="BIGINT"), "17"), event.encode())
        assert not finds(pattern_of("name", ColumnType(name="STRING"), "a.c"), event.encode())


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
