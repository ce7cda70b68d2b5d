"""The oracle's own reading of events: which count, and why the others are dead-lettered.

Written independently of the kernel's parser, in the plainest way. An event with several faults is
refused for one of them; which one depends on the order of its fields: tests give each event one.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any, Literal, NoReturn

from feature_platform.definition.model import ColumnType, Source

EVENT_BYTES_MAX = 1_000_000
ENTITY_BYTES_MAX = 1024
DEPTH_MAX = 64
NUMBER_LENGTH_MAX = 1000
EXPONENT_MAX = 2 * 10**9
EXACT_MAX = 2**53
"""From here on a number with a fraction or exponent may have been another one as a double."""
TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
REGISTRY_BYTES = 5
LAST_TIME_MS = 253_402_300_799_999
"""The end of the year 9999."""

Reason = Literal[
    "not_json",
    "not_an_object",
    "wrong_type",
    "missing_entity",
    "bad_entity",
    "missing_event_time",
    "bad_event_time",
    "future_event_time",
    "event_time_too_old",
    "out_of_range",
    "beyond_sum",
    "too_large",
    "too_deep",
    "duplicate_key",
    "bad_text",
]
ColumnValue = int | float | Decimal | str | bool | None

_EXACT = Context(prec=2200, Emax=10**9, Emin=-(10**9))
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"(?: ?(?:[Zz]|UTC|GMT)| ?([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_FLAG = re.compile(r"(true|1)|(false|0)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """A record as the broker holds it."""

    value: bytes | None
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An event that counts."""

    time_ms: int
    order: tuple[int, int, int]
    """What FIRST and LAST go by: time, partition, offset."""
    columns: dict[str, ColumnValue]

    @property
    def partition(self) -> int:
        """Where it was read."""
        return self.order[1]

    @property
    def offset(self) -> int:
        """Where in the partition."""
        return self.order[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that does not count."""

    partition: int
    offset: int
    reason: Reason


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def _refuse(reason: Reason) -> NoReturn:
    raise _Refused(reason)


class _Number(str):
    """A JSON number, still as it is written."""

    __slots__ = ()


def judge(
    source: Source, entity: str, event: RawEvent, sums: Sequence[tuple[str, int]] = ()
) -> Accepted | DeadLetter:
    """Decide about one event.

    Args:
        source: What the events look like.
        entity: The column that must hold an entity.
        event: The record.
        sums: Columns of which every value is summed, and how many digits after the point of it.
    """
    try:
        columns = _columns(source, entity, _read(event.value))
        time_ms = _check(source, entity, columns, event.timestamp_ms)
        for name, scale in sums:
            value = columns[name]
            if value is not None and fixed_point(value, scale) is None:
                _refuse("beyond_sum")
    except _Refused as refused:
        return DeadLetter(partition=event.partition, offset=event.offset, reason=refused.reason)
    order = (time_ms, event.partition, event.offset)
    return Accepted(time_ms=time_ms, order=order, columns=columns)


def fixed_point(value: float | Decimal | str, scale: int) -> int | None:
    """Return a number as an integer with `scale` digits after the point; None if beyond int64."""
    exact = Decimal(value)
    fixed = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, context=_EXACT)
    unscaled = int(fixed.scaleb(scale, context=_EXACT))
    return unscaled if -(2**63) <= unscaled < 2**63 else None


def _read(value: bytes | None) -> dict[str, Any]:
    if not value:
        _refuse("not_json")
    if len(value) > EVENT_BYTES_MAX:
        _refuse("too_large")
    if value[0] == 0 and value[REGISTRY_BYTES:].lstrip(b" \t\r\n").startswith(b"{"):
        value = value[REGISTRY_BYTES:]
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("bad_text")
    if "\0" in text:
        _refuse("bad_text")
    if _is_too_deep(text):
        _refuse("too_deep")
    try:
        data = _JSON.decode(text)
    except ValueError:
        _refuse("not_json")
    if not isinstance(data, dict):
        _refuse("not_an_object")
    return data


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return False
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > DEPTH_MAX


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        _refuse("duplicate_key")
    return dict(pairs)


def _refuse_constant(_name: str) -> NoReturn:
    _refuse("not_json")


_JSON = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_refuse_constant,
)


def _columns(source: Source, entity: str, data: dict[str, Any]) -> dict[str, ColumnValue]:
    columns: dict[str, ColumnValue] = {}
    for name, kind in source.columns:
        value = data.get(name)
        timed = kind.name == "TIMESTAMP"
        ticks = TICKS_PER_SECOND[source.event_time_unit if name == source.event_time else "ms"]
        if timed and name != source.event_time and _is_number_text(value):
            _refuse("wrong_type")
        try:
            if value is None:
                columns[name] = None
            elif timed:
                columns[name] = _timestamp(value, ticks)
            else:
                columns[name] = _READERS[kind.name](value, kind)
        except _Refused as refused:
            if name == source.event_time:
                _refuse("bad_event_time")
            if name == entity and refused.reason == "bad_text":
                _refuse("bad_entity")
            raise
    return columns


def _check(source: Source, entity: str, columns: dict[str, ColumnValue], timestamp_ms: int) -> int:
    key = columns[entity]
    if key is None:
        _refuse("missing_entity")
    if isinstance(key, str) and not 1 <= len(key.encode()) <= ENTITY_BYTES_MAX:
        _refuse("bad_entity")
    time_ms = columns[source.event_time]
    if time_ms is None:
        _refuse("missing_event_time")
    if not isinstance(time_ms, int):
        _refuse("bad_event_time")
    if dict(source.columns)[source.event_time].name == "BIGINT":
        time_ms = time_ms * 1000 // TICKS_PER_SECOND[source.event_time_unit]
    if not 0 <= time_ms <= LAST_TIME_MS:
        _refuse("bad_event_time")
    if time_ms > timestamp_ms + source.max_future_ms:
        _refuse("future_event_time")
    if time_ms < timestamp_ms - source.max_past_ms:
        _refuse("event_time_too_old")
    return time_ms


def _is_number_text(value: Any) -> bool:  # noqa: ANN401 - any JSON
    return (
        isinstance(value, str)
        and not isinstance(value, _Number)
        and _JSON_NUMBER.fullmatch(value) is not None
    )


def _number(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a number as it is written, as a number or as a text of nothing else."""
    if not isinstance(value, _Number) and not _is_number_text(value):
        _refuse("wrong_type")
    if len(value) > NUMBER_LENGTH_MAX:
        _refuse("out_of_range")
    return str(value)


def _exact(text: str) -> Decimal:
    """Return a number whose exponent can be computed with."""
    if abs(int(text.lower().partition("e")[2] or 0)) > EXPONENT_MAX:
        _refuse("out_of_range")
    return Decimal(text)


def _whole(value: Any, kind: ColumnType) -> int:  # noqa: ANN401 - any JSON
    text = _number(value)
    number = _exact(text)
    if not re.fullmatch("-?[0-9]+", text):
        if number and (number.adjusted() > 20 or abs(number) >= EXACT_MAX):  # noqa: PLR2004
            _refuse("out_of_range")
        if number and (number.adjusted() < 0 or number % 1):
            _refuse("wrong_type")
    limit = 2**31 if kind.name == "INT" else 2**63
    if not -limit <= number < limit:
        _refuse("out_of_range")
    return int(number)


def _double(value: Any, kind: ColumnType) -> float:  # noqa: ANN401, ARG001 - any JSON; one shape
    number = float(_number(value)) + 0.0
    if number in (float("inf"), float("-inf")):
        _refuse("out_of_range")
    return number


def _decimal(value: Any, kind: ColumnType) -> Decimal:  # noqa: ANN401 - any JSON
    number = _exact(_number(value))
    limit = kind.precision - kind.scale
    if number and number.adjusted() >= limit:
        _refuse("out_of_range")
    if not number or number.adjusted() < -kind.scale - 1:
        return Decimal(0).scaleb(-kind.scale)
    rounded = number.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP, context=_EXACT)
    if abs(rounded) >= Decimal(10) ** limit:
        _refuse("out_of_range")
    return rounded


def _string(value: Any, kind: ColumnType) -> str:  # noqa: ANN401, ARG001 - any JSON; one shape
    if not isinstance(value, str) or isinstance(value, _Number):
        _refuse("wrong_type")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        _refuse("bad_text")
    return value


def _boolean(value: Any, kind: ColumnType) -> bool:  # noqa: ANN401, ARG001 - any JSON; one shape
    if isinstance(value, bool):
        return value
    if isinstance(value, _Number):
        number = _exact(_number(value))
        if number not in (0, 1):
            _refuse("wrong_type")
        return number == 1
    match = _FLAG.fullmatch(value) if isinstance(value, str) else None
    if not match:
        _refuse("wrong_type")
    return bool(match[1])


def _timestamp(value: Any, ticks: int) -> int:  # noqa: ANN401 - any JSON
    """Return epoch milliseconds; what is finer is cut off, towards the past."""
    if isinstance(value, str) and not isinstance(value, _Number) and not _is_number_text(value):
        return _iso_ms(value)
    text = _number(value)
    number = _exact(text)
    if re.fullmatch("-?[0-9]+", text):
        if not -(2**63) <= number < 2**63:
            _refuse("out_of_range")
        return int(number) * 1000 // ticks
    if number and (number.adjusted() > 20 or abs(number) >= EXACT_MAX):  # noqa: PLR2004
        _refuse("out_of_range")
    if number and number.adjusted() < -20:  # noqa: PLR2004
        return -1 if number < 0 else 0
    scaled = _EXACT.divide(_EXACT.multiply(number, Decimal(1000)), Decimal(ticks))
    return int(scaled.to_integral_value(ROUND_FLOOR, context=_EXACT))


def _iso_ms(text: str) -> int:
    match = _ISO.fullmatch(text)
    if not match:
        _refuse("wrong_type")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    offset_hour, offset_minute = int(match[9] or 0), int(match[10] or 0)
    try:  # the calendar repeats every 400 years, and Python's has no year 0
        days = date(year % 400 + 400, month, day).toordinal() - date(1970, 1, 1).toordinal()
        time(hour, minute, second)
        time(offset_hour, offset_minute)
    except ValueError:
        _refuse("wrong_type")
    days += (year // 400 - 1) * 146_097
    milliseconds = int((match[7] or "").ljust(3, "0")[:3])
    offset = (offset_hour * 60 + offset_minute) * (-1 if match[8] == "-" else 1)
    return ((days * 1440 + hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds


_READERS: dict[str, Callable[[Any, ColumnType], ColumnValue]] = {
    "BIGINT": _whole,
    "INT": _whole,
    "DOUBLE": _double,
    "DECIMAL": _decimal,
    "STRING": _string,
    "BOOLEAN": _boolean,
}
