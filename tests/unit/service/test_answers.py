"""Both doors answer what the library answers, value by value."""

import math
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import pytest

from feature_platform.service.client import ServiceClient
from feature_platform.service.decode import value_of
from feature_platform.service.features_pb2 import (
    LAYOUT_PACKED,
    LAYOUT_ROWS,
    NUMBERS_FLOAT32,
    NUMBERS_FLOAT64,
    GetFeaturesRequest,
    GetFeaturesResponse,
    Keys,
    State,
)
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.serving.states import STATES
from feature_platform.testing import Deployed
from tests.unit.service.conftest import PATIENCE_S, Running
from tests.unit.service.features import ENTITIES, LIST, NOW_MS, POSTS

METHOD = "/feature_platform.service.Features/GetFeatures"
KEYS = {"user": Keys(numbers=[17], for_all_rows=True), "post": Keys(texts=POSTS)}


def ask(service: Running, request: GetFeaturesRequest) -> GetFeaturesResponse:
    """Send a request to the gRPC door."""
    with grpc.insecure_channel(service.settings.address) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=GetFeaturesRequest.SerializeToString,
            response_deserializer=GetFeaturesResponse.FromString,
        )
        answer = call(request, timeout=PATIENCE_S)
    assert isinstance(answer, GetFeaturesResponse)
    return answer


def assert_same(found: FeatureMatrix, right: FeatureMatrix) -> None:
    """Check that two matrices say the same, in every form of them."""
    assert found.names == right.names
    assert found.types == right.types
    assert found.keys == right.keys
    assert found.status == right.status
    assert found.errors == right.errors
    assert found.counts_since_ms == right.counts_since_ms
    assert found.to_dicts() == right.to_dicts()
    assert found.objects == right.objects
    assert found.states.tolist() == right.states.tolist()
    assert found.present.tolist() == right.present.tolist()
    np.testing.assert_array_equal(found.values, right.values)
    np.testing.assert_array_equal(found.to_numpy(), right.to_numpy())


@pytest.mark.parametrize(
    "entities",
    [ENTITIES, {"user": [17, 18, 99], "post": ["b", "a", "b"]}, {"user": 17, "post": []}],
    ids=str,
)
def test_the_client_answers_what_the_library_answers(
    world: Deployed, service: Running, entities: Mapping[str, Any]
) -> None:
    """Names, types, values of every type, states, defaults and statuses."""
    right = world.client.prepare(list="feed_ranker").get(entities)

    with ServiceClient([service.settings.address], deadline_ms=60_000) as client:
        prepared = client.prepare(list="feed_ranker")
        found = prepared.get(entities)

    assert (prepared.names, prepared.version) == (right.names, 1)
    assert_same(found, right)


def test_features_without_a_list_and_a_past_time(world: Deployed, service: Running) -> None:
    """By their names, as of an hour ago."""
    names, at = ["posts.views_30m", "posts.action"], NOW_MS - 60_000
    right = world.client.prepare(names).get(["a", "b"], at=at)

    with ServiceClient([service.settings.address], deadline_ms=60_000) as client:
        found = client.prepare(names).get(["a", "b"], at=at)

    assert_same(found, right)


def test_columns_are_packed_as_the_proto_says(world: Deployed, service: Running) -> None:
    """A reader without this library: little-endian floats, NaN for no value, bits, a byte each."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)

    for numbers, letter in ((NUMBERS_FLOAT32, "f4"), (NUMBERS_FLOAT64, "f8")):
        request = GetFeaturesRequest(
            list="feed_ranker", entities=KEYS, numbers=numbers, states=True
        )
        answer = ask(service, request)
        packed = {
            head.name: column for head, column in zip(answer.heads, answer.columns, strict=True)
        }
        place = right.names.index("posts.views_30m")
        column = packed["posts.views_30m"]
        got = np.frombuffer(getattr(column, f"float{int(letter[1]) * 8}"), dtype=f"<{letter}")
        np.testing.assert_array_equal(got, right.to_numpy(letter)[:, place])
        states = [STATES[code] for code in column.states]
        assert states == right.states[:, place].tolist()
        present = [bool(column.present[row // 8] >> row % 8 & 1) for row in range(5)]
        assert present == right.present[:, place].tolist()
        assert [answer.status[row] for row in range(5)] == [0, 0, 0, 0, 0]
        assert (answer.list, answer.version, answer.row_count) == ("feed_ranker", 1, 5)
        assert [head.kind for head in answer.heads[:2]] == ["user", "post"]


def test_packed_rows_are_as_the_proto_says(world: Deployed, service: Running) -> None:
    """A reader without this library: one array of bytes for each kind, and its columns in it."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)

    for numbers, dtype in ((NUMBERS_FLOAT32, "<f4"), (NUMBERS_FLOAT64, "<f8")):
        request = GetFeaturesRequest(
            list="feed_ranker", entities=KEYS, numbers=numbers, states=True, layout=LAYOUT_PACKED
        )
        answer = ask(service, request)
        for block in answer.blocks:
            rows = np.frombuffer(block.rows, dtype=np.uint8).reshape(-1, block.row_bytes)
            of_row = np.frombuffer(block.entities, dtype="<u4")
            assert len(of_row) == answer.row_count == len(POSTS)
            width, count, bits = int(dtype[2]), len(block.heads), (len(block.heads) + 7) // 8
            status_at = 8 + width * len(block.numbers)
            found = rows[:, 8:status_at].view(dtype)[of_row]
            heads = list(block.heads)
            np.testing.assert_array_equal(found, right.to_numpy(dtype)[:, list(block.numbers)])
            assert rows[:, status_at].tolist() == [int(key == "zzz") for key in keys_of(block.kind)]
            present = np.unpackbits(
                rows[:, status_at + 1 : status_at + 1 + bits], axis=1, bitorder="little"
            )[of_row, :count]
            assert present.astype(bool).tolist() == right.present[:, heads].tolist()
            states = rows[:, status_at + 1 + 2 * bits :][of_row, :count]
            assert states.tolist() == right.state_codes[:, heads].tolist()
            assert block.row_bytes % 8 == 0
            assert rows[:, :8].view("<i8")[:, 0].tolist() == [0] * len(rows)
        names = {head.name: number for number, head in enumerate(answer.heads)}
        [posts] = [block for block in answer.blocks if block.kind == "post"]
        actions = posts.others[names["posts.action"]].texts
        of_row = np.frombuffer(posts.entities, dtype="<u4")
        assert [actions[row] for row in of_row] == right.objects["posts.action"]
        assert answer.now_ms == NOW_MS


def keys_of(kind: str) -> list[str]:
    """Return each key of a kind once, in the order of the request."""
    return ["17"] if kind == "user" else list(dict.fromkeys(POSTS))


def test_rows_spell_out_every_value(world: Deployed, service: Running) -> None:
    """For languages without arrays."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)

    request = GetFeaturesRequest(list="feed_ranker", entities=KEYS, layout=LAYOUT_ROWS, states=True)
    answer = ask(service, request)

    assert [[value_of(each) for each in row.values] for row in answer.rows] == [
        list(row["values"].values()) for row in right.to_dicts()
    ]
    assert [[STATES[each.state] for each in row.values] for row in answer.rows] == (
        right.states.tolist()
    )
    filled = right.columns[right.names.index("liked")].filled
    assert filled is not None
    place = right.names.index("liked")
    assert [row.values[place].is_default for row in answer.rows] == filled.tolist()


def test_json_rows_and_columns(world: Deployed, service: Running) -> None:
    """The HTTP door: the rows of `to_dicts`, or an array for each feature."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)
    body = {"list": "feed_ranker", "entities": ENTITIES, "states": True}

    code, rows, _ = service.http("/features", body)
    _, columns, _ = service.http("/features", body | {"layout": "columns"})

    assert code == 200
    states = [row.pop("states") for row in rows["rows"]]
    assert rows == {"list": "feed_ranker", "version": 1, "rows": right.to_dicts()}
    assert [list(each.values()) for each in states] == right.states.tolist()
    assert [column["name"] for column in columns["columns"]] == list(right.names)
    assert [column["values"] for column in columns["columns"]] == [
        column.to_list() for column in right.columns
    ]
    assert columns["columns"][0]["states"] == right.states[:, 0].tolist()
    assert columns["entities"] == {kind: list(keys) for kind, keys in right.keys.items()}
    assert columns["status"] == list(right.status)


def test_half_as_many_bytes(world: Deployed, service: Running) -> None:
    """Numbers as float32: the same matrix as the library's float32."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)

    with ServiceClient([service.settings.address], deadline_ms=60_000) as client:
        found = client.prepare(list="feed_ranker").get(ENTITIES, numbers="float32")

    np.testing.assert_array_equal(found.to_numpy(), right.to_numpy())
    assert found.objects == right.objects
    assert not math.isnan(float(found.values[0, 0]))


def test_a_list_is_described(service: Running) -> None:
    """Columns, types and kinds, for people and clients."""
    code, told, _ = service.http("/lists/feed_ranker?version=1")

    assert code == 200
    assert [column["name"] for column in told["columns"]] == [
        feature.column for feature in LIST.features
    ]
    assert {kind["name"]: kind["type"] for kind in told["kinds"]} == {
        "user": "BIGINT",
        "post": "STRING",
    }


def test_the_numbers_of_states_are_those_of_the_library() -> None:
    """The wire has the place of a state in the library's list."""
    numbers = {name.removeprefix("STATE_").lower(): number for name, number in State.items()}
    assert numbers == {state: number for number, state in enumerate(STATES)}
