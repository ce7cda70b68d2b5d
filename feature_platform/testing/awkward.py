"""A second ring of events: numbers, texts, times and bytes at the edges of what a parser takes.

Each event is good but for a few fields, each of which holds any of these values, whatever its
column: most are refused, and for the same reason by every reader.
"""

import json
import random
from itertools import product

from feature_platform.definition.model import ColumnType, Source
from feature_platform.testing.reference_events import DEPTH_MAX, EXPONENT_MAX, NUMBER_LENGTH_MAX

RING_MS = 1_790_000_000_000
"""The timestamp of every record, and the event time of most events."""
RING_SOURCE = Source(
    name="ring",
    topic="ring",
    format="json",
    event_time="ts",
    max_future_ms=300_000,
    columns=(
        ("id", ColumnType(name="BIGINT")),
        ("ts", ColumnType(name="TIMESTAMP")),
        ("big", ColumnType(name="BIGINT")),
        ("small", ColumnType(name="INT")),
        ("real", ColumnType(name="DOUBLE")),
        ("price", ColumnType(name="DECIMAL", precision=10, scale=2)),
        ("long_price", ColumnType(name="DECIMAL", precision=18, scale=0)),
        ("name", ColumnType(name="STRING")),
        ("flag", ColumnType(name="BOOLEAN")),
        ("seen", ColumnType(name="TIMESTAMP")),
    ),
)

_EDGES = (0, 1, 10**2, 10**8, 10**15, 10**16, 10**18, 2**31, 2**53, 2**63, 99999999995)
_WHOLES = tuple(
    str(sign * (edge + step)) for edge, step, sign in product(_EDGES, (-1, 0, 1), (1, -1))
)
_NUMBERS = (
    *_WHOLES,
    *(f"{whole}.0" for whole in _WHOLES),
    *(f"{whole}.5" for whole in _WHOLES),
    *(f"{whole}e0" for whole in _WHOLES),
    *("-0", "-0.0", "-0e5", "5.00", "50E-1", "0.5e+1", "5e00000000000000001", "0e-99999999999"),
    *("1e15", "1e16", "1e18", "1e19", "1.7976931348623157e308", "1.7976931348623159e308", "5e-324"),
    *("2e-324", "0.1", "0.30000000000000004", "99999999.994", "99999999.995", "0.004999", "0.005"),
    *(f"{start}{EXPONENT_MAX + more}" for start in ("0e", "1e", "0e-", "1e-") for more in (0, 1)),
    *(f"1.5e{2**31 - 1}", f"1.50e-{2**31 - 1}", f"1e{10**12}", f"-1e-{10**9}", f"1e-{10**20}"),
    *("9" * NUMBER_LENGTH_MAX, "9" * (NUMBER_LENGTH_MAX + 1), "0." + "0" * 997 + "1"),
    *("0." + "0" * 998 + "1", "1" + "0" * 17 + "." + "0" * 20, "9007199254740991.9"),
    "123456789.125",
)  # fmt: skip
_TIMES = (
    *("0000-01-01T00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00Z"),
    *("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999-00:01", "2016-12-31T23:59:60Z"),
    *("2026-02-29T00:00Z", "2024-02-29T00:00Z", "2026-09-21T24:00:00Z", "2026-09-21T10:00:00"),
    *("2026-09-21 10:00:00 UTC", "2026-09-21 10:00:00 GMT", "2026-09-21 10:00:00.123456 UTC"),
    *("2026-09-21 10:00:00 +0000", "2026-09-21T10:00:00 Z", "2026-09-21T10:00:00  Z"),
    *("2026-09-21T10:00:00+05:30", "2026-09-21T10:00:00-23:59", "2026-09-21T10:00:00+24:00"),
    *("2026-09-21T10:00:00 ", "2026-09-21T10:00:00utc", "2026-09-21T10:00:00EST", "2026-09-21"),
    *("20260921T100000Z", "20260921", "20260921100000", "1790000000000", "1790000000", "2026"),
    *("2026-09-21T10:00:00.1234567890Z", "2026-09-21T10:00:00,9Z", "2026-09-21T10Z", "+2026-09-21"),
    *("Mon, 21 Sep 2026 10:00:00 GMT", "09/21/2026 10:00", "now", "\u0662026-09-21T10:00Z"),
    *("2026-09-21T10:00:00\u221205:00", "12026-09-21T10:00:00Z", "1790000000000.5", "1.79e12"),
)  # fmt: skip
_TICKS = tuple(
    f"{spelt}"
    for base in (1_790_000_000, 1_790_000_000_123, 1_790_000_000_123_456, 1_790_000_000_123_456_789)
    for spelt in (base, f"{base}.0", f"{base}.9999", -base, f"{base}e0")
)
_TEXTS = (
    *("", " ", "x", "null", "NaN", "Infinity", "true", "True", "TRUE", "fal\u017fe", "False"),
    "yes",
    *(" 5", "5 ", "+5", "05", ".5", "5.", "5,0", "0x5", "\u0665", "\uff15", "1_000", "--5", "5e"),
    *("\u00e4\u00df\u0130\u0131\u03c2", "\ue000\uffff\ufffd", "\U0001f600\U0010ffff", "\u202e"),
    "\ufeff",
    *("\t\n\r\f\b\u007f\u0080\u2028", "\\u0000", "a" * 1024, "a" * 1025, "\u00e9" * 512),
    "\u00e9" * 513,
    *("9" * 1001, "\ud800", "\udc00x", "\ud83d\ud83d\ude00", "a\0b"),
)  # fmt: skip
_OTHERS = (
    *("null", "true", "false", "[]", "{}", "[1]", '{"a": 1}', '{"a": 1, "a": 2}', '[{"b": [{}]}]'),
    *("NaN", "-Infinity", "Infinity", "nul", "True", "01", "1.", ".5", "+1", "1e", "0x1"),
    *("'x'", ""),
    *('"\\ud83d\\ude00"', '"\\u0041"', '"\\u0000"', '"\\ud83d"', '"\\x"', '"\\u12"', '"', '"a\tb"'),
    *("[" * deep + "]" * deep for deep in (DEPTH_MAX - 1, DEPTH_MAX)),
    *('{"a":' * deep + "1" + "}" * deep for deep in (DEPTH_MAX - 1, DEPTH_MAX)),
)  # fmt: skip
_GOOD = f'{{"id": 7, "ts": {RING_MS}, "name": "x"}}'.encode()
_REGISTRY = b"\0\0\0\0\x07"
_FRAMES = (
    b"",
    b" ",
    *(_REGISTRY + rest for rest in (_GOOD, b" \n" + _GOOD, b"", b"\x02\x06abc", b"[1]", b"{")),
    *(mark + _GOOD for mark in (b"\xef\xbb\xbf", b"\0", b"\x01", b"\x03\0" + bytes(16))),
    b"\x1f\x8b\x08" + _GOOD,
    *(_GOOD.decode().encode(code) for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
    *(_GOOD + rest for rest in (b"\n" + _GOOD, b"\n", b",", b"\0", b" x", b"]", b"}", b"//")),
    b"[" + _GOOD + b"]",
    json.dumps(_GOOD.decode()).encode(),
    *(b"\n", b"null", b"5", b'"x"', b"<a/>", b"a,b\n1,2", b"{'id': 7}", b"{id: 7}", b"{id=7}"),
    *(b'{"id": 7, "name": "\xe4"}', b'{"id": 7, "name": "\xed\xa0\x80"}', b'{"id": 7,}'),
    b'{"id": 7',
    *(b'{"id": 7, "x": 1, "x": 2}', b'{"id": 7, "\\u0069d": 8}', b'{"": 1, "": 2}', b"{}"),
)  # fmt: skip


def awkward_events() -> list[bytes]:
    """Return the ring's framings, and each of its values once in each column."""
    single = [_event({name: value}) for name, _ in RING_SOURCE.columns for value in _spelt()]
    return [*_FRAMES, *single]


def mixed_events(count: int, *, seed: int) -> list[bytes]:
    """Return random events, each with some awkward values, hence often with several faults.

    Args:
        count: How many.
        seed: The same seed gives the same events.
    """
    chance = random.Random(seed)  # noqa: S311 - the same seed must give the same events
    spelt, names = _spelt(), [name for name, _ in RING_SOURCE.columns]
    return [
        _event({name: chance.choice(spelt) for name in chance.sample(names, chance.randint(2, 4))})
        for _ in range(count)
    ]


def _spelt() -> list[bytes]:
    """Return the values as they are in JSON."""
    numbers = [*_NUMBERS, *_TICKS]
    texts = [*_TEXTS, *_TIMES, *numbers]
    values = [*numbers, *(json.dumps(text) for text in texts), *_OTHERS]
    raw = [json.dumps(text, ensure_ascii=False) for text in (*_TEXTS, *_TIMES)]
    return [value.encode("utf-8", "surrogatepass") for value in (*values, *raw)]


def _event(fields: dict[str, bytes]) -> bytes:
    good = {"id": b"7", "ts": str(RING_MS).encode()}
    pairs = (b'"' + name.encode() + b'": ' + value for name, value in (good | fields).items())
    return b"{" + b", ".join(pairs) + b"}"
