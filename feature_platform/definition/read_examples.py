"""Reads `tests:` of a feature set's YAML; every mistake with its place and remedy."""

import json
import math
import re
from collections.abc import Mapping as MappingOf

from feature_platform.clock import from_iso
from feature_platform.definition.examples import DefinitionTest, Expected, GivenEvent
from feature_platform.definition.fields import Fields
from feature_platform.definition.names import unknown
from feature_platform.definition.problems import Problems
from feature_platform.definition.served import LIST_OF
from feature_platform.definition.yaml_tree import Items, Mapping, Node, Scalar, describe

KEYS = ("name", "events", "entity", "at", "expect")
EVENT_KEYS = ("event", "appended")
"""Of an event that says when the broker took it."""
TESTS_MAX = 200
EVENTS_MAX = 1_000
WITHIN = " of a test"
INSTANT = "2026-01-31T15:00:00Z"
LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,37})")
_Item = int | float | str | bool


def read_tests(fields: Fields, types: MappingOf[str, str] | None) -> tuple[DefinitionTest, ...]:
    """Check `tests:`.

    Args:
        fields: The feature set's fields; collects every mistake.
        types: What is served under each name, see `definition.served.served_type`; None if other
            mistakes leave that open.
    """
    node = fields.node("tests")
    if node is None:
        return ()
    if not isinstance(node, Items) or not 1 <= len(node.items) <= TESTS_MAX:
        found = f"{len(node.items)} of them" if isinstance(node, Items) else describe(node)
        msg = f"`tests` must be a list of 1 to {TESTS_MAX} tests, each with {', '.join(KEYS)}"
        fields.problems.add(node, f"{msg}, not {found}")
        return ()
    return tuple(
        test for item in node.items if (test := _test(item, types, fields.problems)) is not None
    )


def _test(
    node: Node, types: MappingOf[str, str] | None, problems: Problems
) -> DefinitionTest | None:
    if not isinstance(node, Mapping):
        problems.add(node, f"a test must be a mapping with {', '.join(KEYS)}, not {describe(node)}")
        return None
    before = len(problems.found)
    fields = Fields(node, KEYS, problems, within=WITHIN)
    name = fields.scalar("name", example="a like is not a view")
    events = _events(fields)
    entity = _entity(fields)
    at_ms = _instant(fields, "at")
    expect = fields.submapping("expect", example="{views_30m: 1}")
    expected = _expected(expect, types, problems) if expect else ()
    if expect is not None and not expect.entries:
        problems.add(expect, f"`expect`{WITHIN} is empty: name at least one served feature")
    if len(problems.found) > before or name is None:
        return None
    return DefinitionTest(
        name=name.text.strip(),
        events=events,
        entity=entity,
        at_ms=at_ms,
        expected=expected,
        line=node.line,
        column=node.column,
    )


def _entity(fields: Fields) -> str:
    """Return the key as it is served; of a number, its digits."""
    node = fields.node("entity", example="'17'")
    if node is None:
        return ""
    if isinstance(node, Scalar) and node.kind in {"str", "int"} and node.text:
        return node.text
    msg = f"`entity`{WITHIN} must be a string or a whole number, not {describe(node)}"
    fields.problems.add(node, msg)
    return ""


def _instant(fields: Fields, name: str) -> int | None:
    node = fields.node(name)
    if node is None:
        return None
    time_ms = _time_ms(node)
    if time_ms is None:
        msg = f"`{name}` must be an instant such as {INSTANT} or epoch milliseconds"
        fields.problems.add(node, f"{msg}, not {describe(node)}")
    return time_ms


def _time_ms(node: Node) -> int | None:
    """Return an instant; None if a node is none."""
    if not isinstance(node, Scalar):
        return None
    try:
        time_ms = int(node.text) if _WHOLE.fullmatch(node.text) else from_iso(node.text.strip())
    except (ValueError, OverflowError):
        return None
    return time_ms if 0 <= time_ms <= LAST_MS else None


def _events(fields: Fields) -> tuple[GivenEvent, ...]:
    node = fields.node("events", example="[{...}]")
    if node is None:
        return ()
    if not isinstance(node, Items) or len(node.items) > EVENTS_MAX:
        found = f"{len(node.items):,} of them" if isinstance(node, Items) else describe(node)
        msg = f"`events`{WITHIN} must be a list of at most {EVENTS_MAX:,} events, not {found}"
        fields.problems.add(node, msg)
        return ()
    return tuple(
        event for item in node.items if (event := _event(item, fields.problems)) is not None
    )


def _event(node: Node, problems: Problems) -> GivenEvent | None:
    """Read `{action: view, ...}`, or `{event: {action: view, ...}, appended: INSTANT}`."""
    if not isinstance(node, Mapping):
        msg = f"an event is a JSON object: write {{column: value, ...}}, not {describe(node)}"
        problems.add(node, msg)
        return None
    appended_ms, value = None, node
    if isinstance(inner := node.get("event"), Mapping):
        fields = Fields(node, EVENT_KEYS, problems, within=" of an event with `appended`")
        appended_ms, value = _instant(fields, "appended"), inner
    return GivenEvent(value=_json(value, problems), appended_ms=appended_ms, line=node.line)


def _json(node: Node, problems: Problems) -> str:
    """Write a node as JSON; a number keeps each digit and its exponent."""
    if isinstance(node, Mapping):
        pairs = (
            f"{json.dumps(key.text, ensure_ascii=False)}: {_json(value, problems)}"
            for key, value in node.entries
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(node, Items):
        return f"[{', '.join(_json(item, problems) for item in node.items)}]"
    return _scalar_json(node, problems)


def _scalar_json(node: Scalar, problems: Problems) -> str:
    if node.kind == "null":
        return "null"
    if node.kind == "bool" and node.text.lower() in {"true", "false"}:
        return node.text.lower()
    if node.kind in {"int", "float"} and _NUMBER.fullmatch(node.text):
        return node.text
    if node.kind == "str":
        return json.dumps(node.text, ensure_ascii=False)
    msg = (
        f"JSON has no value that is written `{node.text}`: put a string in quotes, "
        f"'{node.text}', or write a number or `true` or `false` as JSON does"
    )
    problems.add(node, msg)
    return "null"


def _expected(
    mapping: Mapping, types: MappingOf[str, str] | None, problems: Problems
) -> tuple[tuple[str, Expected], ...]:
    found: list[tuple[str, Expected]] = []
    for key, node in mapping.entries:
        if types is None:
            continue
        if key.text not in types:
            msg = unknown("feature", key.text, types, where=f" in `expect`{WITHIN}")
            problems.add(key, msg)
            continue
        kind = types[key.text]
        if isinstance(node, Scalar) and node.kind == "null":
            found.append((key.text, None))
        elif (value := _value(node, kind)) is not None:
            found.append((key.text, value))
        else:
            msg = f"`{key.text}` serves {_example(kind)} or null, not {describe(node)}"
            problems.add(node, msg)
    return tuple(found)


def _value(node: Node, kind: str) -> Expected:
    """Return a value of the type that is served; None if it is of another."""
    if not kind.startswith(LIST_OF):
        return _item(node, kind) if isinstance(node, Scalar) else None
    if not isinstance(node, Items) or not node.items:
        return None
    inner = kind.removeprefix(LIST_OF)
    items = [_item(item, inner) if isinstance(item, Scalar) else None for item in node.items]
    return None if None in items else items  # type: ignore[return-value] # all of one type


def _item(node: Scalar, kind: str) -> _Item | None:
    match kind.partition("(")[0]:
        case "STRING":
            return node.text if node.kind == "str" else None
        case "BOOLEAN":
            is_flag = node.kind == "bool" and node.text.lower() in {"true", "false"}
            return node.text.lower() == "true" if is_flag else None
        case "DOUBLE" | "DECIMAL":
            return _double(node)
        case "TIMESTAMP":
            return _time_ms(node)
        case _:
            is_whole = node.kind == "int" and _WHOLE.fullmatch(node.text)
            return int(node.text) if is_whole else None


def _double(node: Scalar) -> float | None:
    plain = node.kind in {"int", "float"} or (node.kind == "str" and not node.style)  # 1e6
    number = float(node.text) if plain and _NUMBER.fullmatch(node.text) else math.inf
    return number if math.isfinite(number) else None


def _example(kind: str) -> str:
    name = kind.removeprefix(LIST_OF)
    one = {
        "STRING": "a string such as 'en'",
        "BOOLEAN": "`true` or `false`",
        "DOUBLE": "a number such as 1.5",
        "DECIMAL": "a number such as 1.5",
        "TIMESTAMP": f"a time such as {INSTANT}",
    }.get(name.partition("(")[0], "a whole number")
    return f"a list of items, each {one}," if kind.startswith(LIST_OF) else one
