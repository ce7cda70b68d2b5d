"""What is wrong with a request is a clear error of its own, in both doors and in the client."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from feature_platform.definition.model import FeatureSet
from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    FeaturePlatformError,
    LimitExceededError,
    MessageTooLargeError,
    NoEntityError,
    OutOfReachError,
    OverloadedError,
    UnauthenticatedError,
    UnknownFeatureError,
)
from feature_platform.service.channels import error_of
from feature_platform.service.client import ServiceClient
from feature_platform.service.features_pb2 import GetFeaturesRequest, GetFeaturesResponse, Keys
from feature_platform.service_settings import is_in_clear
from feature_platform.serving import FeatureClient, Limits
from feature_platform.store.base import READ_TIMEOUT_S, Outcome, Requests, TileReader
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import (
    DownReader,
    FlakyRegistry,
    PassingReader,
    WatchedReader,
)
from tests.unit.service.conftest import PATIENCE_S, Running, serving, settings_of, together
from tests.unit.service.features import LIST, NOW_MS
from tests.unit.service.test_answers import METHOD

TOKEN = "0123456789abcdef0123456789abcdef"
POSTS = {"user": 17, "post": ["a", "b"]}


def keys(values: object) -> Keys:
    """Return keys as a message has them."""
    listed = values if isinstance(values, list) else [values]
    made = Keys(for_all_rows=not isinstance(values, list))
    numbers = [value for value in listed if isinstance(value, int)]
    if len(numbers) == len(listed):
        made.numbers.extend(numbers)
    else:
        made.texts.extend(str(value) for value in listed)
    return made


def by_grpc(service: Running, body: dict[str, Any], timeout_s: float = PATIENCE_S) -> Any:  # noqa: ANN401
    """Ask the gRPC door what a JSON body says; return the answer, or the error that ended it."""
    request = GetFeaturesRequest(
        list=body.get("list", ""),
        version=body.get("version", 0),
        features=body.get("features", ()),
        kinds=body.get("kinds", ()),
        entities={kind: keys(values) for kind, values in body.get("entities", {}).items()},
        at_ms=body.get("at"),
    )
    return call(service, request, timeout_s)


def call(service: Running, request: GetFeaturesRequest, timeout_s: float = PATIENCE_S) -> Any:  # noqa: ANN401
    """Send a request; return the answer, or the platform's error with its code."""
    with grpc.insecure_channel(service.settings.address) as channel:
        future = channel.unary_unary(
            METHOD,
            request_serializer=GetFeaturesRequest.SerializeToString,
            response_deserializer=GetFeaturesResponse.FromString,
        ).future(request, timeout=timeout_s)
        failed = future.exception()
        if failed is None:
            return future.result()
        return failed.code(), error_of("of this test", future)


WRONG: list[tuple[dict[str, Any], str, int, type[FeaturePlatformError], str]] = [
    ({"list": "feed_rankr"}, "NOT_FOUND", 404, UnknownFeatureError, "did you mean `feed_ranker`"),
    ({"list": "feed_ranker", "version": 9}, "NOT_FOUND", 404, UnknownFeatureError, "stored are 1"),
    ({"features": ["posts.vews_30m"]}, "NOT_FOUND", 404, UnknownFeatureError, "`views_30m`"),
    ({"features": ["pots.views_30m"]}, "NOT_FOUND", 404, UnknownFeatureError, "`posts`"),
    ({}, "INVALID_ARGUMENT", 400, CallerError, "names no list"),
    (
        {"list": "feed_ranker", "features": ["posts.views_30m"]},
        *("INVALID_ARGUMENT", 400, CallerError, "list and features"),
    ),
    (
        {"list": "feed_ranker", "kinds": ["pst"], "entities": {"post": ["a"]}},
        *("INVALID_ARGUMENT", 400, CallerError, "did you mean `post`"),
    ),
    (
        {"list": "feed_ranker", "entities": {"post": ["a"]}},
        *("INVALID_ARGUMENT", 400, CallerError, "entities has no 'user', which users needs"),
    ),
    (
        {"list": "feed_ranker", "entities": {"post": ["a"], "usr": 17}},
        *("INVALID_ARGUMENT", 400, CallerError, "did you mean `user`"),
    ),
    (
        {"list": "feed_ranker", "entities": {"post": ["a", "b"], "user": [17]}},
        *("INVALID_ARGUMENT", 400, CallerError, r"entities\['post'\] has 2"),
    ),
    (
        {"list": "feed_ranker", "entities": {"post": ["a"], "user": ["x"]}},
        *("INVALID_ARGUMENT", 400, CallerError, r"\['user'\]\[0\] is 'x', and user is BIGINT"),
    ),
    (
        {"list": "feed_ranker", "entities": {"post": ["a"] * 101, "user": 17}},
        *("INVALID_ARGUMENT", 400, LimitExceededError, "entities_max is 100"),
    ),
    (
        {"list": "feed_ranker", "entities": POSTS, "at": NOW_MS + 10**9},
        *("OUT_OF_RANGE", 400, OutOfReachError, "future"),
    ),
]


@pytest.fixture(name="limited", scope="module")
def _limited(featuresets: tuple[FeatureSet, FeatureSet]) -> Iterator[Running]:
    world = together(featuresets)
    limits = Limits(entities_max=100)
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, limits=limits)
    with serving(client, settings_of(message_bytes_max=4_096, entities_max=100)) as running:
        yield running


def test_what_is_wrong_has_its_code_in_both_doors(limited: Running) -> None:
    """The same error, the same words, the code of each protocol."""
    for body, code, http, kind, words in WRONG:
        grpc_code, error = by_grpc(limited, body)
        status, answer, _ = limited.http("/features", body)

        assert (grpc_code.name, type(error), status) == (code, kind, http), body
        assert answer["error"] == {"code": code, "kind": kind.__name__, "message": str(error)}
        with pytest.raises(kind, match=words):
            raise error


def test_the_client_raises_what_the_library_raises(world: Deployed, limited: Running) -> None:
    """Kind and words, whether it is the client or a replica that sees it."""
    with ServiceClient([limited.settings.address], deadline_ms=60_000) as client:
        prepared = client.prepare(list="feed_ranker")
        library = FeatureClient(
            world.tiles, world.registry, clock=world.clock, limits=Limits(entities_max=100)
        ).prepare(list="feed_ranker")
        for entities in (["a"], {"post": "a"}, {"post": ["a"], "user": [1, 2]}, {"post": [1.5]}):
            with pytest.raises(CallerError) as right:
                library.get(entities)
            with pytest.raises(CallerError) as found:
                prepared.get(entities)
            assert (type(found.value), str(found.value)) == (type(right.value), str(right.value))
        with pytest.raises(OutOfReachError, match="future"):
            prepared.get(POSTS, at=NOW_MS + 10**9)
        with pytest.raises(UnknownFeatureError, match="did you mean `feed_ranker`"):
            client.prepare(list="feed_rankr")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "more than 4096 bytes"),
        (b"[" * 3_000, "not JSON"),
        (b"[1]", "not an object"),
        (b'{"lst": "x"}', "did you mean `list`"),
        (b'{"list": "x", "list": "y"}', '"list" twice in an object'),
        (b'{"entities": {"post": ["a"], "user": 1, "post": ["b"]}}', '"post" twice in an object'),
        (b'{"list": 3}', "list is 3; write the name"),
        (b'{"version": true}', "version is true; write a number"),
        (b'{"version": -1}', "version is -1"),
        (b'{"features": [1]}', r"features\[0\] is 1, not a string"),
        (b'{"deadline_ms": 0}', "deadline_ms is 0"),
        (b'{"deadline_ms": NaN}', "deadline_ms is nan"),
        (b'{"at": "yesterday"}', "at is .yesterday"),
        (b'{"layout": "pages"}', "layout is .pages"),
        (b'{"list": "feed_ranker", "entities": {"user": [[1]], "post": ["a"]}}', r"\[0\] is \[1\]"),
        (b'{"list": "feed_ranker", "entities": {"user": null, "post": ["a"]}}', "is None"),
    ],
)
def test_json_is_checked_field_by_field(limited: Running, raw: bytes, words: str) -> None:
    """Place, value and what is right."""
    code, answer, _ = limited.http("/features", raw=raw)

    kind = MessageTooLargeError if code == 413 else CallerError
    assert code in {400, 413}
    with pytest.raises(kind, match=words):
        raise kind(answer["error"]["message"])


def test_half_of_a_pair_is_a_key_without_events(limited: Running) -> None:
    """JSON can write a text that is not Unicode: it is answered, and comes back as it was sent."""
    raw = b'{"features": ["posts.views_30m"], "entities": {"post": ["\\ud800"]}}'

    code, answer, _ = limited.http("/features", raw=raw)

    assert (code, answer["rows"][0]["status"]) == (200, "no_data")
    assert answer["rows"][0]["entity"] == "\ud800"


def test_paths_and_methods_that_there_are_not(limited: Running) -> None:
    """They are JSON, too, and say what there is."""
    nowhere, nothing, _ = limited.http("/feature", {})
    no_get, answer, headers = limited.http("/features")

    assert (nowhere, nothing["error"]["code"]) == (404, "NOT_FOUND")
    assert "no /feature; /openapi.json" in nothing["error"]["message"]
    assert (no_get, answer["error"]["code"], headers["allow"]) == (405, "UNIMPLEMENTED", "POST")
    assert "GET of /features is not answered: use POST" in answer["error"]["message"]


def test_bytes_that_are_no_message(limited: Running) -> None:
    """And keys of two types at once, or two keys for all rows."""
    with (
        grpc.insecure_channel(limited.settings.address) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(METHOD)(b"\xff\xff", timeout=PATIENCE_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    for wrong in (Keys(texts=["a"], numbers=[1]), Keys(texts=["a", "b"], for_all_rows=True)):
        request = GetFeaturesRequest(list="feed_ranker", entities={"post": wrong})
        code, error = call(limited, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "entities['post']" in str(error)


def test_a_message_that_is_too_large(limited: Running) -> None:
    """RESOURCE_EXHAUSTED and 413; the next request is answered."""
    body = {"list": "feed_ranker", "entities": {"user": 17, "post": ["x" * 5_000]}}

    code, error = by_grpc(limited, body)
    status, answer, _ = limited.http("/features", body)

    assert (code, type(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, MessageTooLargeError)
    assert "service.message_bytes_max): split the request" in str(error)
    assert (status, answer["error"]["code"]) == (413, "RESOURCE_EXHAUSTED")
    assert by_grpc(limited, {"list": "feed_ranker", "entities": POSTS}).row_count == 2


def test_a_token_is_asked_for(world: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """By both doors and by metrics; health is open. Any of several tokens will do."""
    monkeypatch.setenv("FP_SERVICE_TOKEN", f"{'x' * 32}, {TOKEN}")
    body = {"list": "feed_ranker", "entities": POSTS}
    with serving(world.client, settings_of()) as service:
        code, error = by_grpc(service, body)
        answers = [service.http("/features", body, token=token) for token in ("", "y" * 32, TOKEN)]
        paths = ["/metrics", "/lists/feed_ranker", "/healthz", "/openapi.json"]
        open_ = [service.http(path)[0] for path in paths]
        for token in (None, "y" * 32):
            with (
                ServiceClient([service.settings.address], token=token) as client,
                pytest.raises(UnauthenticatedError),
            ):
                client.prepare(list="feed_ranker")
        with ServiceClient([service.settings.address], token=TOKEN) as client:
            assert client.prepare(list="feed_ranker").get(POSTS).status == ("ok", "ok")

    assert (code, type(error)) == (grpc.StatusCode.UNAUTHENTICATED, UnauthenticatedError)
    assert [answer[0] for answer in answers] == [401, 401, 200]
    assert answers[0][2]["www-authenticate"] == "Bearer"
    assert open_ == [401, 401, 200, 200]


def test_a_store_that_is_down(world: Deployed) -> None:
    """UNAVAILABLE with the entities; the client answers as the library does: no value, and why."""
    client = FeatureClient(DownReader(), world.registry, clock=world.clock)
    body = {"list": "feed_ranker", "entities": POSTS}
    client.prepare(list="feed_ranker").get(POSTS)  # the others are not tried
    right = client.prepare(list="feed_ranker").get(POSTS)
    with serving(client, settings_of()) as service:
        code, error = by_grpc(service, body)
        status, answer, headers = service.http("/features", body)
        with ServiceClient([service.settings.address], deadline_ms=60_000) as asking:
            found = asking.prepare(list="feed_ranker").get(POSTS)

    assert (code, type(error)) == (grpc.StatusCode.UNAVAILABLE, NoEntityError)
    assert (error.rows, set(error.entities)) == (2, {"user=17", "post=a", "post=b"})
    assert (status, headers["retry-after"]) == (503, "1")
    assert answer["error"]["unavailable"] == 2
    assert answer["error"]["entities"] == error.entities
    assert found.to_dicts() == right.to_dicts()
    assert found.states.tolist() == right.states.tolist()


def test_one_entity_that_fails_spoils_its_rows_alone(world: Deployed) -> None:
    """The others are answered with OK, and the answer has the reason."""
    client = FeatureClient(WatchedReader(world.tiles, ["b"]), world.registry, clock=world.clock)
    right = client.prepare(list="feed_ranker").get(POSTS)
    with serving(client, settings_of()) as service:
        answer = by_grpc(service, {"list": "feed_ranker", "entities": POSTS})
        with ServiceClient([service.settings.address], deadline_ms=60_000) as asking:
            found = asking.prepare(list="feed_ranker").get(POSTS)

    assert list(answer.status) == [0, 2]
    assert dict(answer.errors) == {"post=b": "no answer"}
    assert (found.status, found.errors) == (("ok", "unavailable"), {"post=b": "no answer"})
    assert found.states.tolist() == right.states.tolist()


class SlowReader(PassingReader):
    """A store that answers only when it is let to. Mutable."""

    def __init__(self, inner: TileReader) -> None:
        """Hold every read back."""
        super().__init__(inner)
        self.free = threading.Event()
        self.waiting = threading.Semaphore(0)

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read, once it is let to."""
        self.waiting.release()
        assert self.free.wait(PATIENCE_S)
        return super().read_tiles(table, requests, timeout_s=timeout_s)


def test_deadlines_and_concurrent_requests(world: Deployed) -> None:
    """A late answer is DEADLINE_EXCEEDED, and one request too many is refused at once."""
    reader = SlowReader(world.tiles)
    client = FeatureClient(reader, world.registry, clock=world.clock)
    body = {"list": "feed_ranker", "entities": POSTS}
    try:
        with serving(client, settings_of(deadline_ms=200, requests_max=2, threads=2)) as service:
            late_code, late = by_grpc(service, body, timeout_s=0.2)
            late_http, answer, _ = service.http("/features", body)
            assert reader.waiting.acquire(timeout=PATIENCE_S)
            assert reader.waiting.acquire(timeout=PATIENCE_S)
            full_code, full = by_grpc(service, body)
            full_http, _, headers = service.http("/features", body)
            health = service.http("/healthz")[0]
            reader.free.set()
            # Their places are free again once the threads have ended, however late.
            while (found := service.http("/features", body))[0] == 429:
                pass
    finally:
        reader.free.set()

    assert (late_code, type(late)) == (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError)
    assert (late_http, answer["error"]["code"]) == (504, "DEADLINE_EXCEEDED")
    assert (full_code, type(full)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, OverloadedError)
    assert (full_http, headers["retry-after"], health) == (429, "1", 200)
    assert found[0] in {200, 504}


def test_a_client_that_hangs_up_disturbs_nobody(world: Deployed) -> None:
    """Its call is counted as cancelled, and the next one is answered."""
    reader = SlowReader(world.tiles)
    client = FeatureClient(reader, world.registry, clock=world.clock)
    request = GetFeaturesRequest(
        list="feed_ranker", entities={"user": keys(17), "post": keys(["a"])}
    )
    try:
        with serving(client, settings_of()) as service:
            with grpc.insecure_channel(service.settings.address) as channel:
                future = channel.unary_unary(
                    METHOD, request_serializer=GetFeaturesRequest.SerializeToString
                ).future(request)
                assert reader.waiting.acquire(timeout=PATIENCE_S)
                future.cancel()
            while 'code="CANCELLED"' not in (text := service.http("/metrics")[1]):
                pass
            reader.free.set()
            answer = call(service, request)
    finally:
        reader.free.set()

    assert 'fp_service_requests_total{code="CANCELLED",door="grpc",list="feed_ranker"} 1.0' in text
    assert answer.row_count == 1


def test_a_registry_that_fails_later_is_not_noticed(world: Deployed) -> None:
    """A list that is known is served; one that is not is UNAVAILABLE."""
    registry = FlakyRegistry(world.clock)
    for snapshot in world.registry.snapshots():
        registry.save(snapshot)
    registry.save_list(LIST)
    client = FeatureClient(world.tiles, registry, clock=world.clock)
    body = {"list": "feed_ranker", "entities": POSTS}
    with serving(client, settings_of()) as service:
        before = service.http("/features", body)[0]
        registry.down = True
        world.clock.advance(10_000)
        after = [service.http("/features", body)[0] for _ in range(3)]

    assert (before, after) == (200, [200, 200, 200])


def test_a_token_in_clear_is_warned_of_beyond_this_machine() -> None:
    """Not on the loopback, where nobody else listens."""
    here, everywhere = settings_of(), settings_of(host="0.0.0.0", anonymous=True)  # noqa: S104

    assert [is_in_clear(each, (TOKEN,)) for each in (here, everywhere)] == [False, True]
    assert not is_in_clear(everywhere, ())
