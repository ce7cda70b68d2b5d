"""Instants and keys of a spine: every Arrow type that is taken, and a status for what is not."""

from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pytest

from feature_platform.errors import CallerError
from feature_platform.training.rows import (
    STATUSES,
    SpineColumns,
    questions,
    read_instants,
    read_keys,
)

AT_MS = 1_772_366_400_123
NAIVE = datetime.fromtimestamp(AT_MS / 1000, tz=UTC).replace(tzinfo=None)


class Kind(NamedTuple):
    """A kind of entity."""

    entity: str
    entity_type: str


def statuses(codes: object) -> list[str]:
    """Write codes as words."""
    return [STATUSES[code] for code in codes]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([AT_MS], pa.int64()),
        pa.array([AT_MS], pa.timestamp("ms")),
        pa.array([AT_MS], pa.timestamp("ms", "UTC")),
        pa.array([AT_MS], pa.timestamp("ms", "Asia/Kolkata")),
        pa.array([AT_MS * 1_000 + 999], pa.timestamp("us")),
        pa.array([AT_MS * 1_000_000 + 999_999], pa.timestamp("ns")),
        pa.array(["2026-03-01T12:00:00.123Z"]),
        pa.array(["2026-03-01T12:00:00.123999"]),
        pa.array(["2026-03-01T17:30:00.123+05:30"], pa.large_string()),
    ],
    ids=str,
)
def test_an_instant_is_epoch_milliseconds(column: pa.Array) -> None:
    """Whatever its type; what is finer than a millisecond is cut off."""
    instants, codes = read_instants(column)
    assert (instants.tolist(), statuses(codes)) == ([AT_MS], ["ok"])


def test_seconds_are_multiplied() -> None:
    """A timestamp of whole seconds."""
    assert read_instants(pa.array([7], pa.timestamp("s")))[0].tolist() == [7_000]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-01-15T12:00", "2026-01-15T11:00"),
        ("2026-07-15T12:00", "2026-07-15T10:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30"),  # occurs twice: the earlier one
        ("2026-03-29T02:30", "2026-03-29T01:00"),  # is skipped: the first that there is again
    ],
)
def test_a_time_zone_is_for_those_without_one(local: str, utc: str) -> None:
    """Timestamps and texts alike."""
    expected = datetime.fromisoformat(f"{utc}:00+00:00").timestamp() * 1000
    moment = pa.array([datetime.fromisoformat(local)], pa.timestamp("us"))
    texts = pa.array([local, f"{utc}Z"])

    assert read_instants(moment, "Europe/Berlin")[0].tolist() == [expected]
    assert read_instants(texts, "Europe/Berlin")[0].tolist() == [expected, expected]


def test_an_unknown_time_zone_is_refused() -> None:
    """With its name."""
    with pytest.raises(CallerError, match="time zone 'Berlin' is not known"):
        read_instants(pa.array([NAIVE], pa.timestamp("us")), "Berlin")


def test_what_is_no_instant_has_a_status() -> None:
    """Nulls, texts that are none, and times before 1970 or after the year 9999."""
    texts = pa.array([None, "yesterday", "2026-02-30", "1969-12-31T23:59:59Z"])
    numbers = pa.array([None, -1, 2**62, 0], pa.int64())

    assert statuses(read_instants(texts)[1]) == ["instant_null", *["instant_unreadable"] * 3]
    assert statuses(read_instants(numbers)[1]) == [
        "instant_null",
        "instant_unreadable",
        "instant_unreadable",
        "ok",
    ]
    assert statuses(read_instants(pa.nulls(1))[1]) == ["instant_null"]


@pytest.mark.parametrize(
    ("kind", "column", "keys", "found"),
    [
        ("BIGINT", pa.array([1, None, -5]), ["1", "", "-5"], ["ok", "key_null", "ok"]),
        ("INT", pa.array([2**31, 2**31 - 1]), ["", "2147483647"], ["key_wrong_type", "ok"]),
        ("BIGINT", pa.array([1.0, 1.5]), ["1", ""], ["ok", "key_wrong_type"]),
        ("BIGINT", pa.array([1.0, float("nan")]), ["1", ""], ["ok", "key_null"]),
        ("BIGINT", pa.array(["7", "07"]), ["7", ""], ["ok", "key_wrong_type"]),
        ("STRING", pa.array(["a", "", "a"]), ["a", "", "a"], ["ok", "ok", "ok"]),
        ("STRING", pa.array([17, 18]), ["17", "18"], ["ok", "ok"]),
        ("STRING", pa.array([1.0]), [""], ["key_wrong_type"]),
        ("STRING", pa.array(["x", None]).dictionary_encode(), ["x", ""], ["ok", "key_null"]),
        ("BIGINT", pa.array([True]), [""], ["key_wrong_type"]),
        ("BIGINT", pa.nulls(2), ["", ""], ["key_null", "key_null"]),
    ],
    ids=str,
)  # fmt: skip
def test_keys_are_those_of_serving(
    kind: str, column: pa.Array, keys: list[str], found: list[str]
) -> None:
    """As the store has them; null or of the wrong type is a status and not an error."""
    texts, codes = read_keys(column, Kind("post_id", kind))
    assert (texts, statuses(codes)) == (keys, found)


def test_the_first_thing_that_is_wrong_is_the_status() -> None:
    """The instant before keys."""
    batch = pa.record_batch(
        {
            "at": pa.array([1, None, 1], pa.int64()),
            "post": pa.array([1, None, None], pa.int64()),
        }
    )
    columns = SpineColumns(keys={"post_id": "post"}, instant="at")
    found = questions(batch, columns, [Kind("post_id", "BIGINT")])
    assert statuses(found.codes) == ["ok", "instant_null", "key_null"]


def test_columns_are_checked() -> None:
    """A column that is missing is named, with the nearest one and the option."""
    schema = pa.schema([("instnat", pa.int64()), ("post_id", pa.int64()), ("day", pa.date32())])
    with pytest.raises(
        CallerError, match=r"no column 'instant' \(--instant .*did you mean `instnat`"
    ):
        SpineColumns(keys={}, instant="instant").check(schema)
    with pytest.raises(CallerError, match=r"no column 'item' \(--key post_id=COLUMN"):
        SpineColumns(keys={"post_id": "item"}, instant="instnat").check(schema)
    with pytest.raises(CallerError, match="'day' is date32"):
        SpineColumns(keys={}, instant="day").check(schema)
