"""The service logs what it sends: the same as the library logs, from kept bytes and new ones."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from feature_platform.feature_log.decode import Served as Logged
from feature_platform.feature_log.decode import decode
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log.sample import is_sampled
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.service.answers import Answers
from feature_platform.service.client import ServiceClient
from feature_platform.service.encode import Form
from feature_platform.service.lists import ServedLists, Wanted
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.matrix import Column
from feature_platform.testing import Deployed
from feature_platform.testing.records import MemorySender
from tests.unit.service.conftest import serving, settings_of
from tests.unit.service.features import ENTITIES, NOW_MS
from tests.unit.service.test_kept_answers import FORMS

WANTED = Wanted(name="feed_ranker")
ROOM = 1 << 22
ALL = FeatureLogSettings(share=1.0)


@contextmanager
def logging_client(
    world: Deployed, settings: FeatureLogSettings = ALL, *, cache: bool = True
) -> Iterator[tuple[FeatureClient, MemorySender]]:
    """Return a client that logs, and where to."""
    sender = MemorySender()
    client = FeatureClient(
        world.tiles,
        world.registry,
        clock=world.clock,
        cache=CacheSettings(bytes_max=ROOM) if cache else None,
        log=FeatureLog(settings, lambda: sender),
    )
    with client:
        yield client, sender


def held(sender: MemorySender) -> list[Logged]:
    """Return what has arrived."""
    return [decode(each) for each in sender.topics.get("feature_log.feed_ranker", ())]


def by_library(world: Deployed, *, cache: bool, settings: FeatureLogSettings = ALL) -> Logged:
    """Return what the library logs."""
    with logging_client(world, settings, cache=cache) as (client, sender):
        client.prepare(list="feed_ranker").get(ENTITIES)
    (logged,) = held(sender)
    return logged


def by_service(
    world: Deployed,
    form: Form,
    *,
    cache: bool,
    settings: FeatureLogSettings = ALL,
    entities: object = ENTITIES,
) -> list[Logged]:
    """Return what is logged of two answers in a form; with a cache the second is of kept bytes."""

    async def ask(client: FeatureClient) -> None:
        lists = ServedLists(client)
        try:
            served = await lists.find(WANTED)
        finally:
            await lists.close()
        answers = Answers(client, ROOM)
        for _ in range(2):
            found = answers.find(served, WANTED, entities, None, form)
            found.write()
            answers.note(served, found)
        assert (answers.stats().hits > 0) == cache

    with logging_client(world, settings, cache=cache) as (client, sender):
        asyncio.run(ask(client))
    return held(sender)


def rounded(column: Column, type_: str, numbers: str) -> list[Any]:
    """Return the values of a column as an answer in floats has them."""
    values = column.to_list()
    if numbers == "exact" or type_ in ("STRING", "BOOLEAN") or type_.startswith("list of"):
        return values
    kind = {"float32": np.float32, "float64": np.float64}[numbers]
    floats = [None if each is None else float(kind(each)) for each in values]  # type: ignore[arg-type]
    whole = type_ in ("BIGINT", "INT", "TIMESTAMP")
    return [int(each) if whole and each is not None else each for each in floats]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_bytes_path_logs_what_the_library_logs(
    world: Deployed, form: Form, cache: bool
) -> None:
    """Values of every type, defaults, keys, statuses, ages and writers."""
    right = by_library(world, cache=cache)
    found = by_service(world, form, cache=cache)

    assert len(found) == 2
    for logged in found:
        assert (logged.names, logged.types, logged.keys) == (right.names, right.types, right.keys)
        assert (logged.list, logged.version, logged.instant_ms) == ("feed_ranker", 1, NOW_MS)
        assert logged.status == right.status
        ages = [None if each.ages_ms is None else each.ages_ms.tolist() for each in (logged, right)]
        assert ages[0] == ages[1]
        assert {name: each.tolist() for name, each in logged.written.items()} == {
            name: each.tolist() for name, each in right.written.items()
        }
        numbers = "exact" if form.layout == "rows" else form.numbers
        for name, type_, mine, theirs in zip(
            right.names, right.types, logged.columns, right.columns, strict=True
        ):
            assert mine.data.dtype == theirs.data.dtype, name
            assert mine.to_list() == rounded(theirs, type_, numbers), name


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_sample_of_entities_has_their_rows_alone(world: Deployed, form: Form) -> None:
    """The same rows as those of the library."""
    entities: dict[str, list[Any]] = {
        "user": [1, 2, 3, 4, 5],
        "post": ["a", "b", "zzz", "a", "p5"],
    }
    some = FeatureLogSettings(share=0.5, by="entity")
    users = [user for user in map(str, entities["user"]) if is_sampled(user, some.share)]
    assert 0 < len(users) < 5
    with logging_client(world, some) as (client, sender):
        client.prepare(list="feed_ranker").get(entities)
    (right,) = held(sender)

    found = by_service(world, form, cache=True, settings=some, entities=entities)

    assert [list(each.keys["user"]) for each in (right, *found)] == [users] * 3
    assert {each.keys["post"] for each in found} == {right.keys["post"]}
    views = right.names.index("posts.views_30m")
    assert found[1].columns[views].to_list() == right.columns[views].to_list()


def test_both_doors_log_and_show_what_they_lost(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of now and by list alone; counts are on the port of the metrics."""
    monkeypatch.delenv("FP_SERVICE_TOKEN", raising=False)
    with logging_client(world) as (client, sender), serving(client, settings_of()) as service:
        with ServiceClient([service.settings.address], deadline_ms=60_000) as remote:
            listed = remote.prepare(list="feed_ranker")
            listed.get({"user": 17, "post": ["a"]})
            remote.prepare(["posts.views_30m"]).get(["a"])
        asked = {"list": "feed_ranker", "entities": {"user": [17, 18], "post": ["a", "b"]}}
        code, _, _ = service.http("/features", asked)
        assert code == 200
        sender.trouble = "no broker at home"
        service.http("/features", asked)
        client.log.close()  # type: ignore[union-attr]  # all is sent, or dropped
        _, text, _ = service.http("/metrics")

    found = held(sender)
    assert {each.list for each in found} == {"feed_ranker"}
    assert 'fp_service_log_rows_total{outcome="sampled"}' in text
    counts = {
        line.split(" ")[0]: float(line.split(" ")[1])
        for line in text.splitlines()
        if line.startswith("fp_service_log")
    }
    sampled = counts['fp_service_log_rows_total{outcome="sampled"}']
    sent = counts['fp_service_log_rows_total{outcome="sent"}']
    assert sent == sum(each.count for each in found)
    assert sampled == sent + counts['fp_service_log_dropped_rows_total{reason="broker"}']
    assert counts["fp_service_log_waiting_bytes"] == 0
