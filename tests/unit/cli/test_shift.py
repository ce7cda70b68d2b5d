"""Event times move; every other byte of a line stays."""

import pytest

from feature_platform.cli.shift import last_time_ms, shift
from feature_platform.definition.model import TimeUnit


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"ts": 1000, "x": 1.10}', b'{"ts": 1500, "x": 1.10}'),
        (b'{"x":{"ts":1},"ts":1000}', b'{"x":{"ts":1},"ts":1500}'),
        (b' {"a": "}\\"ts\\": 9", "ts" : -500 } ', b' {"a": "}\\"ts\\": 9", "ts" : 0 } '),
        (b'{"ts":"1970-01-01T00:00:01Z"}', b'{"ts":"1970-01-01T00:00:01.500Z"}'),
        (
            b'{"ts":"1970-01-01T01:00:00+01:00","a":1,"a":2}',
            b'{"ts":"1970-01-01T00:00:00.500Z","a":1,"a":2}',
        ),
        (b'{"ts":1000,"big":1e400}', b'{"ts":1500,"big":1e400}'),
    ],
)
def test_only_the_time_changes(line: bytes, expected: bytes) -> None:
    """A number stays a number, text stays text, and all else stays byte for byte."""
    assert expected == shift(line, "ts", 500)


@pytest.mark.parametrize(
    ("unit", "line", "expected"),
    [
        ("s", b'{"ts": 5}', b'{"ts": 7}'),
        ("s", b'{"ts": 5.0}', b'{"ts": 7}'),
        ("us", b'{"ts": 5000000}', b'{"ts": 7000000}'),
        ("ns", b'{"ts": 5000000000}', b'{"ts": 7000000000}'),
        ("s", b'{"ts": "1970-01-01T00:00:05Z"}', b'{"ts": "1970-01-01T00:00:07Z"}'),
    ],
)
def test_numbers_are_moved_in_the_sources_unit(
    unit: TimeUnit, line: bytes, expected: bytes
) -> None:
    """A text is a time by itself."""
    assert shift(line, "ts", 2_000, unit) == expected
    assert last_time_ms([line], "ts", unit) == 5_000


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[1]",
        b"{}",
        b'{"ts": null}',
        b'{"ts": true}',
        b'{"ts": 1.5}',
        b'{"ts": "yesterday"}',
        b'{"ts": 1, "ts": 2}',
        b'{"ts": 1} {"ts": 1}',
        b'{"ts": 1,}',
        b'{"ts" 1}',
        b'{"ts": 1',
        b'{"ts": "9999-12-31T23:59:59.900Z"}',
        b'\xff{"ts": 1}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_a_line_without_a_readable_time_cannot_be_shifted(line: bytes) -> None:
    """Such a line is told apart, it does not stop the others."""
    assert shift(line, "ts", 500) is None


def test_the_last_time_is_the_latest_not_the_one_of_the_last_line() -> None:
    """Files need not be in order of time, and unreadable lines have none."""
    assert last_time_ms([b'{"ts":5}', b'{"ts":7}', b"x", b'{"ts":6}'], "ts") == 7
    assert last_time_ms([b"x"], "ts") is None
