"""A record holds what was served: every type, to the bit; what is none is refused with a reason."""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.errors import CorruptRecordError
from feature_platform.feature_log.decode import Served, decode
from feature_platform.feature_log.encode import records
from feature_platform.feature_log.sample import Sample
from feature_platform.feature_log.served_pb2 import ServedRows
from feature_platform.serving.matrix import STATUSES, Block, Column, FeatureMatrix
from tests.unit.feature_log.samples import INT64, TEXTS, TYPES, column, matrix, sample


@st.composite
def answers(draw: st.DrawFn) -> FeatureMatrix:
    """Draw an answer: some rows, columns of any types, values, defaults and gaps."""
    count = draw(st.integers(1, 6))
    columns: dict[str, tuple[str, Column]] = {}
    for number, type_ in enumerate(draw(st.lists(st.sampled_from(sorted(TYPES)), max_size=8))):
        some = st.none() | TYPES[type_]
        values = draw(st.lists(some, min_size=count, max_size=count))
        defaults = draw(st.just([]) | st.lists(st.booleans(), min_size=count, max_size=count))
        columns[f"f{number}"] = type_, column(type_, values, defaults)
    row = st.lists(TEXTS, min_size=count, max_size=count).map(tuple)
    keys = {kind: draw(row) for kind in draw(st.sampled_from([["post"], ["post", "user"]]))}
    statuses = st.lists(st.sampled_from(STATUSES), min_size=count, max_size=count)
    ages = draw(st.none() | st.lists(INT64, min_size=count, max_size=count))
    return matrix(columns, keys, draw(statuses), ages)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Draw some rows of an answer."""
    made = draw(answers())
    every = range(len(made.status))
    rows = draw(st.lists(st.sampled_from(every), min_size=1, unique=True).map(sorted))
    written = {"posts": draw(st.lists(INT64, min_size=len(rows), max_size=len(rows)))}
    return sample(made, rows, written)


def exact(value: Any) -> Any:  # noqa: ANN401 (any value that is served)
    """Return a value so that floats are equal only if their bits are."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    return struct.pack("<d", value) if isinstance(value, float) else (type(value), value)


def table(served: Served) -> list[tuple[Any, ...]]:
    """Return the rows of a record, with all that is known of each."""
    columns = [[*map(exact, each.to_list())] for each in served.columns]
    ages = [None] * served.count if served.ages_ms is None else served.ages_ms.tolist()
    written = [each.tolist() for each in served.written.values()]
    return list(zip(*served.keys.values(), served.status, ages, *written, *columns, strict=True))


def expected(given_: Sample) -> list[tuple[Any, ...]]:
    """Return the same of what was handed over."""
    made, rows = given_.logged.matrix, range(given_.count)
    columns = [[exact(each.to_list()[row]) for row in rows] for each in made.columns]
    keys = [[each[row] for row in rows] for each in made.keys.values()]
    status = [made.status[row] for row in rows]
    ages = [None if made.ages_ms is None else int(made.ages_ms[row]) for row in rows]
    written = [each.tolist() for each in given_.logged.written.values()]
    return list(zip(*keys, status, ages, *written, *columns, strict=True))


@given(samples(), st.sampled_from([300, 500, 1_000_000]))
def test_what_is_decoded_is_what_was_served(given_: Sample, bytes_max: int) -> None:
    """Rows in their order, over as many records as it takes; none that fits is left out."""
    found: list[tuple[Any, ...]] = []
    for count, data in records(given_, bytes_max):
        if data is None:
            assert count == 1
            found.append(expected(given_)[len(found)])  # too large alone: nothing to compare
            continue
        assert len(data) <= bytes_max
        served = decode(data)
        assert (served.count, served.request_id) == (count, given_.request_id)
        assert (served.instant_ms, served.list, served.version) == (
            given_.instant_ms,
            given_.list,
            given_.version,
        )
        assert (served.names, served.types) == (
            given_.logged.matrix.names,
            given_.logged.matrix.types,
        )
        assert [*served.keys] == [*given_.logged.matrix.keys]
        found += table(served)

    assert found == expected(given_)


@given(st.integers(1, 5), st.lists(INT64, min_size=20, max_size=20), st.data())
def test_columns_in_blocks_are_as_if_they_were_made(
    count: int, numbers: list[int], data: st.DataObject
) -> None:
    """A block is packed without making its columns; the bytes are the same."""
    block = Block(
        positions=(3, 0, 2),
        data=np.array(numbers[: 3 * count], np.int64).reshape(count, 3),
        partial=np.zeros(3, dtype=np.bool_),
        found=np.zeros(count, dtype=np.int8),
    )
    other = "BIGINT", column("BIGINT", [None, *range(count - 1)])
    columns = {
        "a": ("BIGINT", block.column(1)),
        "b": other,
        "c": ("BIGINT", block.column(2)),
        "d": ("BIGINT", block.column(0)),
    }
    made = matrix(columns, {"post": tuple(map(str, range(count)))})
    rows = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True).map(sorted))

    plain, packed = (sample(each, rows) for each in (made, replace(made, blocks=(block,))))

    assert [*records(packed, 1_000_000)] == [*records(plain, 1_000_000)]
    assert packed.logged.matrix.columns[3].to_list() == plain.logged.matrix.columns[3].to_list()


def one_record() -> bytes:
    """Return a record of three rows and columns of each storage."""
    columns = {
        "views": ("BIGINT", column("BIGINT", [1, None, 3])),
        "score": ("DOUBLE", column("DOUBLE", [0.5, None, float("nan")])),
        "liked": ("BOOLEAN", column("BOOLEAN", [True, False, None])),
        "tag": ("STRING", column("STRING", ["a", None, ""])),
        "tags": ("list of STRING", column("list of STRING", [["a"], [], None])),
    }
    made = sample(matrix(columns, {"post": ("1", "2", "3")}), written={"posts": [1, 2, 3]})
    ((_, data),) = records(made, 1_000_000)
    assert data is not None
    return data


@given(st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    """Cut off, changed or something else: no other error comes out."""
    whole = one_record()
    cut = data.draw(st.integers(0, len(whole)))
    odd = data.draw(st.binary(max_size=12))
    for damaged in (whole[:cut], whole[:cut] + odd + whole[cut + len(odd) :], odd):
        try:
            decode(damaged)
        except CorruptRecordError as error:
            assert str(error)  # noqa: PT017 (either is right)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"row_count": 4}, "do not fit"),
        ({"int64": b"1234567"}, "do not fit"),
        ({"shown": b""}, "do not fit"),
        ({"status": b"\x07\x00\x00"}, "do not fit"),
    ],
)
def test_parts_that_do_not_fit_are_named(change: dict[str, Any], words: str) -> None:
    """The message says what is wrong."""
    read = ServedRows.FromString(one_record())
    for name, value in change.items():
        setattr(read, name, value)
    with pytest.raises(CorruptRecordError, match=words):
        decode(read.SerializeToString())


def test_columns_that_are_missing_are_named() -> None:
    """A head without its column."""
    read = ServedRows.FromString(one_record())
    del read.texts[:]
    with pytest.raises(CorruptRecordError, match="fewer columns"):
        decode(read.SerializeToString())
