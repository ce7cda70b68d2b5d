"""Counts as a person writes them."""

import pytest

from feature_platform.words import counted, names_of, short_span, span, verb


@pytest.mark.parametrize(
    ("count", "one", "written"),
    [
        (1, "row", "1 row"),
        (0, "row", "0 rows"),
        (1_234_567, "row", "1,234,567 rows"),
        (1, "entity", "1 entity"),
        (2, "entity", "2 entities"),
        (2, "key", "2 keys"),
        (2, "process", "2 processes"),
        (3, "feature set", "3 feature sets"),
    ],
)
def test_a_count_has_its_noun(count: int, one: str, written: str) -> None:
    """No "1 rows of 1 entities"."""
    assert counted(count, one) == written


def test_verbs_and_lists() -> None:
    """What stands beside a count."""
    assert [verb(number, "counts", "count") for number in (1, 2)] == ["counts", "count"]
    assert names_of(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert names_of(["a", "b"], most=2) == "a, b"


def test_spans_of_time() -> None:
    """As exact as a person needs it."""
    spans = (9_999, 10_000, 61_500, 1_322_377, 3_600_000 * 55 + 60_000 * 14)
    assert [span(each) for each in spans] == [
        "9,999 ms",
        "10 s",
        "1 min 1 s",
        "22 min 2 s",
        "55 h 14 min",
    ]


def test_short_spans_of_time() -> None:
    """Those before have a sign; there may be none."""
    told = [short_span(each) for each in (None, 40, -90_000, 5_400_000, 129_600_000)]
    assert told == ["-", "0.04s", "-1.5m", "1.5h", "1.5d"]
