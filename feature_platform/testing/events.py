"""Random events of a source, seeded: late, out of order, repeated, and bad ones of every reason."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from feature_platform.clock import to_iso
from feature_platform.definition.model import ColumnType, Source
from feature_platform.testing.reference_events import (
    DEPTH_MAX,
    ENTITY_BYTES_MAX,
    EVENT_BYTES_MAX,
    EXACT_MAX,
    TICKS_PER_SECOND,
    RawEvent,
    Reason,
)

REASONS: tuple[Reason, ...] = tuple(reason for reason in get_args(Reason) if reason != "beyond_sum")
"""Why events are refused whatever is computed of them."""
LARGE_MAX = 3
"""Most events that are refused for their size: each is a megabyte."""
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
    foreign: float = 0.05
    """Values in another form: 5.0 or "5" for 5, 1 for true."""
    literals: Mapping[str, Sequence[int | float | str]] = field(default_factory=dict)
    """Values, by column, that conditions ask for."""
    literal: float = 0.5
    """Values of such a column that are one of them."""


def generate_events(source: Source, entity: str, mix: Mix, *, seed: int) -> Iterator[RawEvent]:
    """Draw events in the order they arrive; offsets count up from 0 in each partition.

    Args:
        source: What the events look like.
        entity: The column with the entity; a few entities get most events.
        mix: How many and of which sort.
        seed: The same seed gives the same events.
    """
    chance = random.Random(seed)  # noqa: S311 - the same seed must give the same events
    offsets = [0] * mix.partitions
    large = 0
    value: bytes | None = b""
    for index in range(mix.count):
        arrival_ms = mix.end_ms - mix.span_ms + mix.span_ms * (index + 1) // mix.count
        if index == 0 or not _happens(chance, mix.repeated):
            fields = _good(source, entity, mix, arrival_ms, chance)
            value = _write(fields)
            if _happens(chance, mix.bad):
                reasons = [
                    reason for reason in REASONS if reason != "too_large" or large < LARGE_MAX
                ]
                reason = chance.choice(reasons)
                large += reason == "too_large"
                value = spoil(source, entity, fields, reason, arrival_ms=arrival_ms, chance=chance)
        partition = chance.randrange(mix.partitions)
        yield RawEvent(
            value=value, partition=partition, offset=offsets[partition], timestamp_ms=arrival_ms
        )
        offsets[partition] += 1


def _happens(chance: random.Random, share: float) -> bool:
    return chance.random() < share


def _good(source: Source, entity: str, mix: Mix, arrival_ms: int, chance: random.Random) -> _Fields:
    fields: _Fields = {}
    for name, kind in source.columns:
        if name == source.event_time:
            time_ms = _happened_ms(source, mix, arrival_ms, chance)
            fields[name] = _time(kind, time_ms, chance, ticks=_ticks(source, time_ms))
        elif name == entity:
            fields[name] = _as_others_write_it(_entity(kind, mix, chance), kind, mix, chance)
        elif not _happens(chance, mix.absent):
            fields[name] = _as_others_write_it(_value(name, kind, mix, chance), kind, mix, chance)
        elif _happens(chance, 0.5):
            fields[name] = None
    if _happens(chance, 0.1):
        fields["unknown"] = {"nested": [1, {"deeper": None}]}
    names = list(fields)
    chance.shuffle(names)
    return {name: fields[name] for name in names}


def _value(name: str, kind: ColumnType, mix: Mix, chance: random.Random) -> Any:  # noqa: ANN401 - any JSON
    asked = mix.literals.get(name)
    if asked and _happens(chance, mix.literal):
        return chance.choice(asked)
    extreme = _happens(chance, mix.extreme)
    return (_EXTREMES if extreme else _VALUES)[kind.name](kind, chance)


def _happened_ms(source: Source, mix: Mix, arrival_ms: int, chance: random.Random) -> int:
    start_ms = mix.end_ms - mix.span_ms
    if _happens(chance, mix.late):
        return chance.randint(start_ms, arrival_ms)
    early_ms = chance.randint(-source.max_future_ms, 10_000) if _happens(chance, 0.05) else 0
    return max(start_ms, arrival_ms - max(early_ms, chance.randint(-500, 3_000)))


def _entity(kind: ColumnType, mix: Mix, chance: random.Random) -> int | str:
    rank = min(int(chance.paretovariate(0.5)) - 1, mix.entities * 50) % mix.entities
    return f"post-{rank}" if kind.name == "STRING" else rank


def _as_others_write_it(value: Any, kind: ColumnType, mix: Mix, chance: random.Random) -> Any:  # noqa: ANN401 - any JSON
    if kind.name in {"STRING", "TIMESTAMP"} or not _happens(chance, mix.foreign):
        return value
    if kind.name == "BOOLEAN":
        return chance.choice((int(value), float(value), str(value), str(value).lower()))
    whole = isinstance(value, int) and abs(value) < EXACT_MAX
    return float(value) if whole and _happens(chance, 0.5) else json.dumps(value)


def _ticks(source: Source, time_ms: int) -> int:
    """Return a time as a number of the source's event time."""
    return time_ms * TICKS_PER_SECOND[source.event_time_unit] // 1000


def _time(
    kind: ColumnType, time_ms: int, chance: random.Random, *, ticks: int | None = None
) -> int | str:
    if kind.name != "TIMESTAMP" or _happens(chance, 0.6):
        return time_ms if ticks is None else ticks
    zoned = to_iso(time_ms)
    if _happens(chance, 0.3):
        return to_iso(time_ms + 19_800_000).removesuffix("Z") + "+05:30"
    return zoned.removesuffix("Z") if _happens(chance, 0.3) else zoned


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
    "BOOLEAN": lambda _, chance: _happens(chance, 0.5),
    "TIMESTAMP": lambda kind, chance: _time(kind, chance.randint(0, 2 * 10**12), chance),
}
_EXTREMES: dict[str, Callable[[ColumnType, random.Random], Any]] = {
    "BIGINT": lambda _, chance: chance.choice((2**63 - 1, -(2**63), 2**53 + 1)),
    "INT": lambda _, chance: chance.choice((2**31 - 1, -(2**31))),
    "DOUBLE": lambda _, chance: chance.choice((1.7e308, -1.7e308, 5e-324, 9007199254740993)),
    "DECIMAL": lambda kind, _: 10 ** (kind.precision - kind.scale) - 1,
    "STRING": lambda _, chance: chance.choice(('\t\n"\\/', "\u2028", "\U0010ffff", "x" * 2000)),
    "BOOLEAN": lambda _, chance: _happens(chance, 0.5),
    "TIMESTAMP": lambda _, chance: chance.choice((0, -1, 253402300799999, "0001-01-01T00:00Z")),
}


def spoil(
    source: Source,
    entity: str,
    fields: _Fields,
    reason: Reason,
    *,
    arrival_ms: int,
    chance: random.Random,
) -> bytes | None:
    """Turn a good event into one that is refused for a reason.

    Where the source's types leave no room for it (a number is never a bad entity) the event time is
    left out instead.
    """
    spoilt = _Spoilt(
        source=source, entity=entity, fields=dict(fields), arrival_ms=arrival_ms, chance=chance
    )
    return _SPOILERS[reason](spoilt)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoilt:
    source: Source
    entity: str
    fields: _Fields
    arrival_ms: int
    chance: random.Random

    def kind(self, name: str) -> ColumnType:
        return dict(self.source.columns)[name]

    def others(self, *types: str) -> list[str]:
        """Return the columns of some types that are neither entity nor event time."""
        taken = (self.entity, self.source.event_time)
        return [
            name for name, kind in self.source.columns if name not in taken and kind.name in types
        ]

    def with_field(self, name: str, *candidates: object) -> bytes:
        """Write the event with another value of a field."""
        return json.dumps(self.fields | {name: self.chance.choice(candidates)}).encode()

    def without(self, name: str) -> bytes:
        """Write the event with a field null or left out."""
        if _happens(self.chance, 0.5):
            return self.with_field(name, None)
        return _write({key: value for key, value in self.fields.items() if key != name})

    def with_text(self, name: str, *candidates: bytes) -> bytes:
        """Write the event with one more field, its value as it is."""
        written = _write({key: value for key, value in self.fields.items() if key != name})
        comma = b"" if written == b"{}" else b", "
        field = f'"{name}": '.encode() + self.chance.choice(candidates)
        return written.removesuffix(b"}") + comma + field + b"}"


def _write(fields: _Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _wrong_type(event: _Spoilt) -> bytes:
    name = event.chance.choice(event.others(*_WRONG) or [event.entity])
    return event.with_field(name, *_WRONG[event.kind(name).name])


def _bad_entity(event: _Spoilt) -> bytes:
    if event.kind(event.entity).name != "STRING":
        return event.without(event.source.event_time)
    too_long = "x" * (ENTITY_BYTES_MAX + 1)
    return event.with_field(event.entity, "", too_long, "a\0b", "é" * (ENTITY_BYTES_MAX // 2 + 1))


def _out_of_range(event: _Spoilt) -> bytes:
    fitting = event.others(*_TOO_BIG)
    if event.kind(event.entity).name in _TOO_BIG:
        fitting.append(event.entity)
    if not fitting:
        return event.without(event.source.event_time)
    name = event.chance.choice(fitting)
    return event.with_text(name, *_TOO_BIG[event.kind(name).name])


def _bad_text(event: _Spoilt) -> bytes:
    texts = event.others("STRING")
    if texts and _happens(event.chance, 0.5):
        return event.with_field(event.chance.choice(texts), "half \ud83d", "\udc00", "nul \0")
    return event.with_text("unknown", b'"\xff"', b'"\xc3("', b'"\0"')


def _too_old(event: _Spoilt, by_ms: int) -> int:
    """Return an event time before what the source takes; 0 if it takes all since 1970."""
    oldest_ms = event.arrival_ms - event.source.max_past_ms
    return _ticks(event.source, max(0, oldest_ms - by_ms))


def _duplicate_key(event: _Spoilt) -> bytes:
    written = _write(event.fields | {"twice": 0})
    return written.removesuffix(b"}") + b', "twice": 0}'


_SPOILERS: dict[Reason, Callable[[_Spoilt], bytes | None]] = {
    "not_json": lambda event: event.chance.choice(
        (None, b"", b"{", b"[1, 2", b"no", b'{"a": NaN}', b"{} {}", b"\xef\xbb\xbf{}")
    ),
    "not_an_object": lambda event: event.chance.choice((b"[1]", b'"text"', b"3", b"null", b"true")),
    "wrong_type": _wrong_type,
    "missing_entity": lambda event: event.without(event.entity),
    "bad_entity": _bad_entity,
    "missing_event_time": lambda event: event.without(event.source.event_time),
    "bad_event_time": lambda event: event.with_field(
        event.source.event_time,
        *(-1, True, [], 2**63, 1e300, "yesterday", "2026-09-21", "9999-12-31T23:59-01:00"),
    ),
    "event_time_too_old": lambda event: event.with_field(
        event.source.event_time,
        *(_too_old(event, older_ms) for older_ms in (1, 1_000, 10**10)),
    ),
    "future_event_time": lambda event: event.with_field(
        event.source.event_time,
        *(
            _ticks(event.source, event.arrival_ms + event.source.max_future_ms + more)
            for more in (1_000, 60_000, 10**10)
        ),
    ),
    "out_of_range": _out_of_range,
    "too_large": lambda event: event.with_field("padding", "x" * EVENT_BYTES_MAX),
    "too_deep": lambda event: event.with_text("deep", b"[" * DEPTH_MAX + b"]" * DEPTH_MAX),
    "duplicate_key": _duplicate_key,
    "bad_text": _bad_text,
}
_WRONG: dict[str, tuple[object, ...]] = {
    "BIGINT": ("7 ", "07", "", 1.5, True, []),
    "INT": ("seven", "+7", 1.5, 1e-300, True, {}),
    "DOUBLE": ("1.5x", "NaN", False, []),
    "DECIMAL": ("1,5", "", True, {}),
    "STRING": (7, 7.5, True, ["x"]),
    "BOOLEAN": ("yes", "", 2, -1, 0.5),
    "TIMESTAMP": ("soon", "1700000000000", True, "2024-02-30T00:00Z", "2024-01-01"),
}
_TOO_BIG: dict[str, tuple[bytes, ...]] = {
    "BIGINT": (b"9223372036854775808", b"-9223372036854775809", b"1" * 50, b"9007199254740992.0"),
    "INT": (b"2147483648", b"-2147483649", b"2147483648.0", b'"1e10"'),
    "DOUBLE": (b"1e999", b"-1e309", b'"1e999"'),
    "DECIMAL": (b"1e18", b"-1e30", b"9" * 19, b'"1e18"'),
    "TIMESTAMP": (b"9223372036854775808", b"1e16"),
}
