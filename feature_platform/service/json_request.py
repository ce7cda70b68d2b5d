"""A request as JSON has it, checked: each mistake names the field, the value and what is right."""

import json
from collections.abc import Mapping
from typing import Any

from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError
from feature_platform.service.encode import Form, Layout
from feature_platform.service.handler import Asked
from feature_platform.service.lists import Wanted
from feature_platform.serving.asked import instant_ms

FIELDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "list": ((str,), "the name of a stored feature list"),
    "version": ((int,), "a number, such as 3"),
    "features": ((list,), "a list of names"),
    "kinds": ((list,), "a list of kinds of entity"),
    "entities": ((dict,), 'an object, such as {"user_id": 17, "post_id": [4711, 4712]}'),
    "at": ((int, str), "epoch milliseconds, or ISO-8601"),
    "deadline_ms": ((int, float), "milliseconds from now"),
    "layout": ((str,), "`rows` or `columns`"),
    "states": ((bool,), "true or false"),
}
"""Of each field its types, and what it should be."""
LAYOUTS: tuple[Layout, ...] = ("rows", "columns")
"""Those that JSON can have."""
VERSION_MAX = 2**31


def loaded(body: bytes) -> dict[str, Any]:
    """Return the object in a body.

    Raises:
        CallerError: It is not JSON, or another value, or has a field that is not known, or that is
            there twice.
    """
    try:
        given = json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        msg = f"the body is not JSON: {error}"
        raise CallerError(msg) from error
    if not isinstance(given, dict):
        msg = 'the body is not an object; write {"list": "...", "entities": {...}}'
        raise CallerError(msg)
    for name, value in given.items():
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS) or f"; fields are {', '.join(FIELDS)}"
            msg = f"the request has a field {name!r}, which is not known{hint}"
            raise CallerError(msg)
        types, right = FIELDS[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            msg = f"{name} is {_shown(value)}; write {right}"
            raise CallerError(msg)
    return given


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; one of two values of a field would get lost."""
    made = dict(fields)
    if len(made) < len(fields):
        names = [name for name, _ in fields]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"the request has {_shown(twice)} twice in an object; write it once"
        raise CallerError(msg)
    return made


def deadline_s(given: Mapping[str, Any]) -> float | None:
    """Return how long a request may take.

    Raises:
        CallerError: No time at all.
    """
    if "deadline_ms" not in given:
        return None
    if not given["deadline_ms"] > 0:
        msg = f"deadline_ms is {given['deadline_ms']}; write milliseconds from now, above 0"
        raise CallerError(msg)
    return float(given["deadline_ms"]) / 1000


def asked_of(given: Mapping[str, Any]) -> Asked:
    """Return what an object asks for; see `loaded`.

    Raises:
        CallerError: A value is none of its field.
    """
    version = given.get("version", 0)
    if not 0 <= version <= VERSION_MAX:
        msg = f"version is {_shown(version)}; write the number of a stored version"
        raise CallerError(msg)
    return Asked(
        wanted=Wanted(
            name=given.get("list", ""),
            version=version,
            features=_names("features", given),
            kinds=_names("kinds", given),
        ),
        entities=given.get("entities", {}),
        at_ms=_instant(given.get("at")),
        form=Form(layout=_layout(given.get("layout", "rows")), states=given.get("states", False)),
    )


def _names(field: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    for place, name in enumerate(given.get(field, [])):
        if not isinstance(name, str):
            msg = f"{field}[{place}] is {_shown(name)}, not a string"
            raise CallerError(msg)
    return tuple(given.get(field, []))


def _instant(at: int | str | None) -> int | None:
    try:
        return instant_ms(at)
    except ValueError as error:
        msg = f"at is {_shown(at)}; write epoch milliseconds, or ISO-8601"
        raise CallerError(msg) from error


def _layout(layout: str) -> Layout:
    for known in LAYOUTS:
        if layout == known:
            return known
    msg = f"layout is {_shown(layout)}; write `rows` or `columns`"
    raise CallerError(msg)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."  # noqa: PLR2004 (a line's worth)
