"""Random events of a source, seeded: late, out of order, repeated, and bad ones of every reason."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from feature_platform.clock import to_iso
from feature_platform.definition.model import ColumnType, Source
from feature_platform.testing.reference_events import (
    DEPTH_MAX,
    ENTITY_BYTES_MAX,
    EVENT_BYTES_MAX,
    RawEvent,
    Reason,
)

REASONS: tuple[Reason, ...] = get_args(Reason)
TOO_LARGE_EVENTS_MAX = 3
_WORDS = (
    "view",
    "like",
    "share",
    "skip",
    "en",
    "hi",
    "ta",
    "Größe",
    "日本",
    "ok \U0001f600",
    " x ",
    "",
)
_Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What the events are like; shares are of 1."""

    count: int
    entities: int
    end_ms: int
    """When the last event arrives."""
    span_ms: int
    """How long before that the first one arrives."""
    partitions: int = 4
    bad: float = 0.01
    late: float = 0.05
    """Events that happened anywhere in the span before they arrive."""
    repeated: float = 0.01
    """Events that are sent once more, at another offset."""
    absent: float = 0.05
    """Columns that are null or left out."""
    extreme: float = 0.001
    """Numbers at the edge of their type."""


def generate_events(source: Source, entity: str, mix: Mix, *, seed: int) -> Iterator[RawEvent]:
    """Draw events in the order they arrive; offsets count up from 0 in each partition.

    Args:
        source: What the events look like.
        entity: The column with the entity; a few entities get most events.
        mix: How many and of which sort.
        seed: The same seed gives the same events.
    """
    chance = random.Random(seed)
    offsets = [0] * mix.partitions
    larges = 0
    value: bytes | None = b""
    for index in range(mix.count):
        arrival_ms = mix.end_ms - mix.span_ms + mix.span_ms * (index + 1) // mix.count
        if index == 0 or chance.random() >= mix.repeated:
            fields = _good(source, entity, mix, arrival_ms, chance)
            reason = chance.choice(REASONS) if chance.random() < mix.bad else None
            larges += reason == "too_large"
            spoiled = reason is not None and not (
                reason == "too_large" and larges > TOO_LARGE_EVENTS_MAX
            )
            value = (
                spoil(source, entity, fields, reason, arrival_ms, chance)
                if spoiled and reason
                else _write(fields)
            )
        partition = chance.randrange(mix.partitions)
        yield RawEvent(
            value=value,
            partition=partition,
            offset=offsets[partition],
            timestamp_ms=arrival_ms,
        )
        offsets[partition] += 1


def _good(source: Source, entity: str, mix: Mix, arrival_ms: int, chance: random.Random) -> _Fields:
    fields: _Fields = {}
    for name, kind in source.columns:
        if name == source.event_time:
            fields[name] = _time(kind, _happened_ms(source, mix, arrival_ms, chance), chance)
        elif name == entity:
            fields[name] = _entity(kind, mix, chance)
        elif chance.random() >= mix.absent:
            extreme = chance.random() < mix.extreme
            fields[name] = (_EXTREMES if extreme else _VALUES)[kind.name](kind, chance)
        elif chance.random() < 0.5:
            fields[name] = None
    if chance.random() < 0.1:
        fields["unknown"] = {"nested": [1, {"deeper": None}]}
    names = list(fields)
    chance.shuffle(names)
    return {name: fields[name] for name in names}


def _happened_ms(source: Source, mix: Mix, arrival_ms: int, chance: random.Random) -> int:
    start_ms = mix.end_ms - mix.span_ms
    if chance.random() < mix.late:
        return chance.randint(start_ms, arrival_ms)
    early_ms = chance.randint(-source.max_future_ms, 10_000) if chance.random() < 0.05 else 0
    return max(start_ms, arrival_ms - max(early_ms, chance.randint(-500, 3_000)))


def _entity(kind: ColumnType, mix: Mix, chance: random.Random) -> int | str:
    rank = min(int(chance.paretovariate(0.5)) - 1, mix.entities * 50) % mix.entities
    return f"post-{rank}" if kind.name == "STRING" else rank


def _time(kind: ColumnType, time_ms: int, chance: random.Random) -> int | str:
    if kind.name != "TIMESTAMP" or chance.random() < 0.6:
        return time_ms
    zoned = to_iso(time_ms)
    if chance.random() < 0.3:
        return to_iso(time_ms + 19_800_000).removesuffix("Z") + "+05:30"
    return zoned.removesuffix("Z") if chance.random() < 0.3 else zoned


def _small(kind: ColumnType, chance: random.Random) -> int:  # noqa: ARG001 - one shape
    return chance.choice((0, 1, -1, chance.randint(-100, 1_000), chance.randint(0, 60_000)))


_VALUES: dict[str, Callable[[ColumnType, random.Random], Any]] = {
    "BIGINT": _small,
    "INT": _small,
    "DOUBLE": lambda _, chance: chance.choice(
        (chance.randint(-9, 9), round(chance.uniform(-100, 100), 3), chance.random(), 0.125, -0.0)
    ),
    "DECIMAL": lambda kind, chance: round(
        chance.uniform(-1, 1) * 10 ** min(kind.precision - kind.scale - 1, 4), kind.scale + 1
    ),
    "STRING": lambda _, chance: chance.choice(_WORDS),
    "BOOLEAN": lambda _, chance: chance.random() < 0.5,
    "TIMESTAMP": lambda kind, chance: _time(kind, chance.randint(0, 2 * 10**12), chance),
}
_EXTREMES: dict[str, Callable[[ColumnType, random.Random], Any]] = {
    "BIGINT": lambda _, chance: chance.choice((2**63 - 1, -(2**63), 2**53 + 1)),
    "INT": lambda _, chance: chance.choice((2**31 - 1, -(2**31))),
    "DOUBLE": lambda _, chance: chance.choice((1.7e308, -1.7e308, 5e-324, 9007199254740993)),
    "DECIMAL": lambda kind, _: 10 ** (kind.precision - kind.scale) - 1,
    "STRING": lambda _, chance: chance.choice(('\t\n"\\/', "\u2028", "\U0010ffff", "x" * 2000)),
    "BOOLEAN": lambda _, chance: chance.random() < 0.5,
    "TIMESTAMP": lambda _, chance: chance.choice((0, -1, 253402300799999, "0001-01-01T00:00Z")),
}


def _write(fields: _Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def spoil(
    source: Source,
    entity: str,
    fields: _Fields,
    reason: Reason,
    arrival_ms: int,
    chance: random.Random,
) -> bytes | None:
    """Turn a good event into one that is refused for a reason.

    A reason that the source's types leave no room for (a number is never a bad entity) becomes another one.
    """
    plain = {name: kind for name, kind in source.columns if name not in (entity, source.event_time)}
    types = dict(source.columns)
    texts = [name for name, kind in plain.items() if kind.name == "STRING"]
    fields = dict(fields)
    match reason:
        case "not_json":
            return chance.choice(
                (None, b"", b"{", b"[1, 2", b"no", b'{"a": NaN}', b"{} {}", b"\xef\xbb\xbf{}")
            )
        case "not_an_object":
            return chance.choice((b"[1]", b'"text"', b"3", b"null", b"true"))
        case "wrong_type":
            wrong = chance.choice([*plain] or [entity])
            fields[wrong] = chance.choice(_WRONG[types[wrong].name])
        case "missing_entity":
            del fields[entity]
            fields |= {} if chance.random() < 0.5 else {entity: None}
        case "bad_entity" if types[entity].name == "STRING":
            fields[entity] = chance.choice(("", "x" * (ENTITY_BYTES_MAX + 1), "a\0b", "é" * 513))
        case "missing_event_time" | "bad_entity":
            del fields[source.event_time]
            fields |= {} if chance.random() < 0.5 else {source.event_time: None}
        case "bad_event_time":
            fields[source.event_time] = chance.choice((-1, True, 1.5, [], 2**63, "yesterday"))
        case "future_event_time":
            late_ms = chance.choice((1, 1_000, 10**10))
            fields[source.event_time] = arrival_ms + source.max_future_ms + late_ms
        case "out_of_range":
            return _out_of_range(plain | {entity: types[entity]}, fields, chance)
        case "too_large":
            return _write(fields | {"padding": "x" * EVENT_BYTES_MAX})
        case "too_deep":
            brackets = "[" * DEPTH_MAX + "]" * DEPTH_MAX
            return _append(fields, f'"deep": {brackets}'.encode())
        case "duplicate_key":
            return _append(fields, f'"{entity}": null'.encode())
        case "bad_text" if texts and chance.random() < 0.5:
            fields[chance.choice(texts)] = chance.choice(("half \ud83d", "\udc00", "nul \0"))
        case "bad_text":
            return _append(fields, chance.choice((b'"t": "\xff"', b'"t": "\xc3("', b'"t": "\0"')))
    return _write_escaped(fields)


_WRONG: dict[str, tuple[Any, ...]] = {
    "BIGINT": ("7", 1.0, True, []),
    "INT": ("7", 1.0, True, {}),
    "DOUBLE": ("1.5", False, []),
    "DECIMAL": ("1.5", True, {}),
    "STRING": (7, True, ["x"]),
    "BOOLEAN": ("true", 1, 0),
    "TIMESTAMP": ("soon", 1.5, True, "2024-02-30T00:00Z"),
}


def _out_of_range(columns: dict[str, ColumnType], fields: _Fields, chance: random.Random) -> bytes:
    fitting = {name: kind for name, kind in columns.items() if kind.name in _TOO_BIG}
    if not fitting:
        return _append(fields, b"]")
    name, kind = chance.choice(sorted(fitting.items(), key=lambda item: item[0]))
    number = chance.choice(_TOO_BIG[kind.name])
    fields.pop(name, None)
    return _append(fields, f'"{name}": {number}'.encode())


_TOO_BIG: dict[str, tuple[str, ...]] = {
    "BIGINT": ("9223372036854775808", "-9223372036854775809", "1" * 50),
    "INT": ("2147483648", "-2147483649"),
    "DOUBLE": ("1e999", "-1e309"),
    "DECIMAL": ("1e18", "-1e30", "9" * 19),
    "TIMESTAMP": ("9223372036854775808",),
}


def _append(fields: _Fields, raw: bytes) -> bytes:
    written = _write(fields).removesuffix(b"}")
    return written + (b", " if fields else b"") + raw + b"}"


def _write_escaped(fields: _Fields) -> bytes:
    return json.dumps(fields).encode()
