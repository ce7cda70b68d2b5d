"""The door of a request: what can be no key of the entity is refused with place, value and type."""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.model import FeatureSet, TypeName
from feature_platform.errors import CallerError, LimitExceededError
from feature_platform.plan.job_source import SourceColumn
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.keys import stored_key, stored_keys
from feature_platform.testing import Deployed
from feature_platform.testing.deployed import snapshot_of

MOST = 10


def of_type(snapshot: Snapshot, type_name: TypeName) -> Snapshot:
    """Return a feature set whose entity is of a type."""
    columns = (SourceColumn(name="post", type=type_name),)
    source = replace(snapshot.job.source, columns=columns)
    return replace(snapshot, job=replace(snapshot.job, source=source))


@pytest.fixture(autouse=True, scope="session")
def _implementation() -> None:
    """Keys are the same whatever serves; and an iterator can be passed once."""


@pytest.fixture(name="about", scope="session")
def _about(featureset: FeatureSet) -> Callable[[TypeName], Snapshot]:
    """Return a function from a type to a feature set whose entity is of that type."""

    def about(type_name: TypeName) -> Snapshot:
        snapshot = snapshot_of(featureset)
        return of_type(snapshot, type_name)

    return about


@pytest.mark.parametrize(
    "keys",
    [
        [4711],
        ["4711"],
        (4711,),
        [np.int64(4711)],
        [np.uint8(47) * np.uint16(100) + np.int32(11)],
        [4711.0],
        np.array([4711]),
        np.array([4711.0]),
        np.array(["4711"]),
        np.array([4711], dtype=object),
        pd.Series([4711]),
        pd.Series([4711, None])[:1],
        pd.Index(["4711"]),
        pd.array([4711], dtype="Int64"),
        pa.array([4711]),
        pa.chunked_array([[4711]]),
        {4711: "of a dict"}.keys(),
        range(4711, 4712),
        iter(["4711"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_whole_number_is_taken_in_every_exact_form(
    about: Callable[[TypeName], Snapshot], keys: Iterable[object]
) -> None:
    """What is 4711 for certain is the entity 4711."""
    assert stored_keys(keys, [about("BIGINT")], MOST) == ["4711"]


@pytest.mark.parametrize(
    "key",
    [
        *("04711", " 4711", "4711 ", "4711\n", "+4711", "4_711", "-0", "4711.0", "4.7e3"),
        *("abc", "", "\ufeff4711", "\u0664\u0667", "0x10", "9223372036854775808"),
        *(None, True, np.True_, b"4711", 4711.5, float("nan"), float("inf"), 2.0**53, 2**63),
        *(10**5000, [4711], (4711,), {}, pd.NA, pd.NaT, object, complex(4711)),
    ],
    ids=lambda key: type(key).__name__,
)
def test_what_is_no_whole_number_is_refused(
    about: Callable[[TypeName], Snapshot], key: object
) -> None:
    """Place, value, entity and type stand in the message; nothing is answered for nobody."""
    with pytest.raises(CallerError, match=r"entities\[1\] is .*, and post is BIGINT") as refused:
        stored_keys([4711, key], [about("BIGINT")], MOST)
    assert len(str(refused.value)) < 300


def test_an_int_has_its_own_range(about: Callable[[TypeName], Snapshot]) -> None:
    """The ends of 32 and of 64 bits are keys, what lies beyond is none."""
    cases: tuple[tuple[TypeName, int], ...] = (("INT", 2**31), ("BIGINT", 2**63))
    for type_name, end in cases:
        ends = [-end, end - 1, str(-end), str(end - 1)]
        assert stored_keys(ends, [about(type_name)], MOST) == list(map(str, ends))
        for beyond in (-end - 1, end, str(-end - 1), str(end)):
            with pytest.raises(CallerError, match=f"post is {type_name}: an integer from"):
                stored_keys([beyond], [about(type_name)], MOST)


@pytest.mark.parametrize(
    "key", ["04711", " 4711", "abc", "", "4711.0", "\ud800", np.str_("x"), 4711]
)
def test_any_text_is_a_key_of_texts(about: Callable[[TypeName], Snapshot], key: object) -> None:
    """Blanks and zeros are part of a text; a whole number is its digits."""
    (stored,) = stored_keys([key], [about("STRING")], MOST)

    assert (type(stored), stored) == (str, str(key))


@pytest.mark.parametrize("key", [None, 4711.0, True, b"4711", float("nan"), pd.NA, 2**70, ["a"]])
def test_what_is_no_text_is_refused(about: Callable[[TypeName], Snapshot], key: object) -> None:
    """Whether 4711.0 means `4711` or `4711.0`, nobody can know."""
    with pytest.raises(CallerError, match=r"entities\[0\] is .*, and post is STRING"):
        stored_keys([key], [about("STRING")], MOST)


@pytest.mark.parametrize(
    ("entities", "problem"),
    [
        ("4711", r"entities is a string; write \['4711'\]"),
        (b"4711", "entities is bytes"),
        (bytearray(b"4711"), "entities is bytearray"),
        (memoryview(b"4711"), "entities is memoryview"),
        (io.StringIO("4711\n"), "entities is StringIO"),
        (io.BytesIO(b"4711\n"), "entities is BytesIO"),
        ({"4711": 1}, r"entities has '4711', .*; write \{'post': \[\.\.\.\]\}"),
        ({"4711"}, "entities is a set, which has no order"),
        (frozenset({"4711"}), "entities is a frozenset, which has no order"),
        (pd.DataFrame({"post": [4711]}), "entities is a DataFrame of 2 dimensions"),
        (np.array([[4711]]), "entities is a ndarray of 2 dimensions"),
        (np.array(4711), "entities is a ndarray of 0 dimensions"),
        (np.array(["2026-01-31"], dtype="M8[ns]"), r"entities is a ndarray of datetime64\[ns\]"),
        (pd.Series(pd.to_datetime(["2026-01-31"])), "entities is a Series of datetime64"),
        (np.array([True]), "entities is a ndarray of bool"),
        (np.array([b"4711"]), "entities is a ndarray of "),
        (4711, r"entities is 4711, not a list of keys; write \[4711\]"),
        (None, "entities is None, not a list"),
        (np.int64(4711), "not a list of keys|of 0 dimensions"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_list_of_keys_is_refused(
    world: Deployed, entities: Iterable[object], problem: str
) -> None:
    """A text is not the list of its letters, nor a table that of its columns."""
    with pytest.raises(CallerError, match=problem):
        world.client.prepare(["posts.action"]).get(entities)


def test_a_missing_value_of_a_column_is_named_with_its_place(world: Deployed) -> None:
    """Beside a missing value pandas makes floats of whole numbers: only the missing one is none."""
    world.registry.save(of_type(world.snapshot, "BIGINT"))
    frame = pd.DataFrame({"post": [17, None, 19]})

    with pytest.raises(CallerError, match=r"entities\[1\] is nan, and post is BIGINT"):
        world.client.prepare(["posts.action"]).get(frame["post"])


def test_one_entity_in_two_forms_is_read_once(world: Deployed) -> None:
    """The number 17 and its digits are one entity."""
    matrix = world.client.prepare(["posts.action"]).get([17, "17"])

    assert matrix.entities == ("17", "17")


def test_an_endless_iterator_passes_the_limit(about: Callable[[TypeName], Snapshot]) -> None:
    """No more keys are taken than may be asked for."""
    with pytest.raises(LimitExceededError, match="more than 10 entities requested"):
        stored_keys(iter(int, 1), [about("BIGINT")], MOST)


def test_feature_sets_of_one_entity_name_may_differ_in_its_type(
    about: Callable[[TypeName], Snapshot],
) -> None:
    """A key must fit all of them."""
    both = [about("STRING"), about("BIGINT")]

    assert stored_keys(["17"], both, MOST) == ["17"]
    with pytest.raises(CallerError, match="post is BIGINT"):
        stored_keys(["017"], both, MOST)


def test_each_feature_set_takes_the_key_as_the_one_before_has_it(
    about: Callable[[TypeName], Snapshot],
) -> None:
    """An exact float is a key of whole numbers, and then a text like any other."""
    assert stored_keys([4711.0], [about("BIGINT"), about("STRING")], MOST) == ["4711"]
    with pytest.raises(CallerError, match=r"entities\[0\] is 4711\.0"):
        stored_keys([4711.0], [about("STRING"), about("BIGINT")], MOST)


def test_the_place_is_told_as_it_was_given(about: Callable[[TypeName], Snapshot]) -> None:
    """A key from a file is named by file and line."""
    with pytest.raises(CallerError, match=r"keys.txt:4 is 'user_id', and post is BIGINT"):
        stored_key("user_id", about("BIGINT"), "keys.txt:4")


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_bigint_is_a_key_in_all_its_forms(
    about: Callable[[TypeName], Snapshot], value: int
) -> None:
    """The number, numpy's, its digits, and as a float where that is exact, are one key."""
    forms: list[object] = [value, np.int64(value), str(value)]
    if abs(value) < 2**53:
        forms.append(float(value))

    assert stored_keys(forms, [about("BIGINT")], MOST) == [str(value)] * len(forms)


@given(st.floats())
def test_a_float_is_a_key_only_where_it_is_exact(
    about: Callable[[TypeName], Snapshot], value: float
) -> None:
    """Of a float that is no whole number below 2^53, nobody knows which entity it means."""
    if value.is_integer() and abs(value) < 2**53:
        assert stored_keys([value], [about("BIGINT")], MOST) == [str(int(value))]
    else:
        with pytest.raises(CallerError, match="post is BIGINT"):
            stored_keys([value], [about("BIGINT")], MOST)
