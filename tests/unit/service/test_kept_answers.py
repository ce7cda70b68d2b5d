"""Answers of kept bytes: as encoded now to the byte, right for their instant, not too old."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.errors import CallerError, OutOfReachError
from feature_platform.service.answers import Answers
from feature_platform.service.client import ServiceClient
from feature_platform.service.encode import Form, Layout
from feature_platform.service.features_pb2 import GetFeaturesResponse
from feature_platform.service.lists import Served, ServedLists, Wanted
from feature_platform.service.shape import Numbers
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.matrix import FeatureMatrix
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.service.conftest import serving, settings_of
from tests.unit.service.features import ENTITIES, LIST, NOW_MS
from tests.unit.service.received import matrix_received
from tests.unit.serving.cached import CachedWorld
from tests.unit.serving.conftest import MINUTE_MS, make_event

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)
FORMS = [
    Form(layout=layout, numbers=numbers, states=states)
    for layout, numbers, states in product(LAYOUTS, NUMBERS, (False, True))
]
PACKED = Form(layout="packed", states=True)
WANTED = Wanted(name="feed_ranker")
BOUND_MS = 1_000
ROOM = 1 << 22


class Kept:
    """Answers of kept bytes, and the same without any, over one client with a cache of tiles."""

    def __init__(self, world: Deployed, *, bound_ms: int = BOUND_MS, bytes_max: int = ROOM) -> None:
        """Keep nothing yet."""
        self.world = world
        self.reader = WatchedReader(world.tiles)
        cache = CacheSettings(bytes_max=ROOM, max_staleness_ms=bound_ms)
        self.client = FeatureClient(
            self.reader, world.registry, clock=world.clock, refresh_ms=0, cache=cache
        )
        self.kept = Answers(self.client, bytes_max)
        self.fresh = Answers(self.client, 0)

    def served(self, wanted: Wanted = WANTED) -> Served:
        """Return the list as it is stored now."""
        return asyncio.run(self._served(wanted))

    async def _served(self, wanted: Wanted) -> Served:
        lists = ServedLists(self.client)
        try:
            return await lists.find(wanted)
        finally:
            await lists.close()

    def ask(self, form: Form = PACKED, entities: object = ENTITIES) -> bytes:
        """Return an answer, of kept bytes where there are some."""
        return self.kept.find(self.served(), WANTED, entities, None, form).write()

    def ask_fresh(self, form: Form = PACKED, entities: object = ENTITIES) -> bytes:
        """Return the answer that is encoded now."""
        return self.fresh.find(self.served(), WANTED, entities, None, form).write()

    def matrix(self, entities: Mapping[str, Sequence[object]]) -> FeatureMatrix:
        """Return an answer of kept bytes as the client of the service reads it."""
        return matrix_received(self.kept, self.served(), WANTED, entities)


@pytest.mark.parametrize(
    "form", FORMS, ids=lambda form: f"{form.layout}-{form.numbers}-{form.states}"
)
def test_kept_bytes_are_those_that_would_be_encoded(world: Deployed, form: Form) -> None:
    """After a part of the entities was asked for, and half a bound later: to the byte."""
    both = Kept(world)
    both.ask(form, {"user": 17, "post": ["b", "p5", "p9"]})

    world.clock.advance(BOUND_MS // 2)
    first, second = both.ask(form), both.ask(form)

    assert first == second == both.ask_fresh(form)
    stats = both.kept.stats()
    assert (stats.hits, stats.misses) == (3 + 5, 4 + 2)
    assert GetFeaturesResponse.FromString(first).row_count == 5


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, 400, 999, 1_000, 30_000, 60_000, 3 * 60_000, 31 * 60_000, -700]),
            st.sampled_from(FORMS),
            st.lists(st.sampled_from(["a", "b", "zzz", "p1", "p5", "p9"]), max_size=6),
            st.sampled_from([17, 18, 99]),
        ),
        min_size=1,
        max_size=12,
    ),
    bound_ms=st.sampled_from([0, 1_000, 90_000, 3_600_000]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_clock_does(
    together_now: Callable[[], Deployed],
    steps: list[tuple[int, Form, list[str], int]],
    bound_ms: int,
) -> None:
    """Kept bytes are those encoded now, whose values are those of a client that keeps nothing.

    Once the clock has gone back, bytes and tiles may be of different reads: values and bounds of
    ages hold, ages may differ.
    """
    world, went_back = together_now(), False
    both = Kept(world, bound_ms=bound_ms)
    for later_ms, form, posts, user in steps:
        world.clock.advance(later_ms)
        went_back |= later_ms < 0
        entities = {"user": user, "post": posts}
        kept, fresh = both.ask(form, entities), both.ask_fresh(form, entities)
        assert went_back or kept == fresh
        different = list(dict.fromkeys(posts)) or ["a"]
        unique: dict[str, Sequence[object]] = {
            "user": [user] * len(different),
            "post": different,
        }
        right = world.client.prepare(list="feed_ranker").get(unique)
        found = both.matrix(unique)
        assert found.states.tolist() == right.states.tolist()
        np.testing.assert_array_equal(found.values, right.values)
        assert found.objects == right.objects
        assert found.counts_since_ms == right.counts_since_ms
        assert found.ages_ms is not None
        assert int(found.ages_ms.max(initial=0)) < max(bound_ms, 1)


def test_a_window_moves_on_although_nothing_is_read(world: Deployed) -> None:
    """The tile that leaves a window takes its events along, at its instant and not before."""
    both = Kept(world, bound_ms=3_600_000)
    place = both.served().prepared.names.index("posts.views_30m")
    both.matrix({"user": [17], "post": ["a"]})
    first, counts = list(both.reader.requests), []
    for _ in range(32):
        matrix = both.matrix({"user": [17], "post": ["a"]})
        counts.append(matrix.values[0, place])
        world.clock.advance(MINUTE_MS)

    assert both.reader.requests == first
    assert {entity for entity, _ in first} == {"17", "a"}
    assert counts[0] > counts[-1] == 0


def test_new_events_are_served_within_the_bound(world: Deployed) -> None:
    """Before it the old value with its age, after it the new one."""
    cached, both = CachedWorld(world), Kept(world)
    place = both.served().prepared.names.index("posts.views_30m")
    entities: dict[str, Sequence[object]] = {"user": [17], "post": ["a"]}
    before = both.matrix(entities).values[0, place]
    cached.arrive([make_event("a", 0, 900, user=1, action="view")])

    world.clock.advance(BOUND_MS - 1)
    within = both.matrix(entities)
    world.clock.advance(1)
    after = both.matrix(entities)

    assert within.ages_ms is not None
    assert (within.values[0, place], within.ages_ms.tolist()) == (before, [BOUND_MS - 1])
    assert after.ages_ms is not None
    assert (after.values[0, place], after.ages_ms.tolist()) == (before + 1, [0])


def test_a_property_grows_too_old_at_its_instant(world: Deployed) -> None:
    """Not when the bytes are read again: nothing else changes in a list without windows."""
    aged = ListedFeature(name="posts.action", max_age_ms=7 * MINUTE_MS)
    world.registry.save_list(FeatureList(name="aged", version=1, owner="t", features=(aged,)))
    both, wanted = Kept(world, bound_ms=3_600_000), Wanted(name="aged")
    prepared = world.client.prepare(list="aged")
    states, right = [], []
    for _ in range(9 * 2):
        found = matrix_received(both.kept, both.served(wanted), wanted, {"post": ["a", "b"]})
        states.append(found.states.tolist())
        right.append(prepared.get(["a", "b"]).states.tolist())
        world.clock.advance(MINUTE_MS // 2)

    assert states == right
    assert [["value"], ["value"]] in states
    assert [["stale"], ["stale"]] in states
    assert len(both.reader.requests) == 2


def test_a_new_version_and_a_deployment_drop_what_was_kept(world: Deployed) -> None:
    """Its bytes are gone, and the answer is of the new one."""
    both = Kept(world)
    both.ask()
    kept = both.kept.stats()
    shorter = replace(LIST, version=2, features=LIST.features[:3])
    world.registry.save_list(shorter)
    answer = GetFeaturesResponse.FromString(both.ask())
    after_version = both.kept.stats()
    world.registry.save(replace(world.snapshot, deployment="next"))
    again = both.ask()
    after_deployment = both.kept.stats()

    assert kept.size > 0
    assert (answer.version, len(answer.heads)) == (2, 3)
    assert after_version.dropped == 5
    assert after_version.hits == 0
    assert after_deployment.dropped == 10
    assert after_deployment.hits == 0
    assert again == both.ask_fresh()


def test_other_snapshots_leave_what_is_kept(world: Deployed) -> None:
    """A look at the registry that says the same, and a deployment of what is not asked."""
    both = Kept(world)
    both.ask()
    world.registry.save(replace(world.snapshot, featureset="others", table="others_1"))
    both.ask()

    stats = both.kept.stats()
    assert (stats.hits, stats.misses, stats.dropped) == (5, 5, 0)


def test_what_is_unavailable_is_asked_again(world: Deployed) -> None:
    """A failure is of one answer alone."""
    both = Kept(world)
    both.reader.failing = ("a", "17")
    failed = GetFeaturesResponse.FromString(both.ask(Form(states=True)))
    both.reader.failing = ()
    after = GetFeaturesResponse.FromString(both.ask(Form(states=True)))

    assert list(failed.status) == [2] * 5
    assert set(failed.errors) == {"user=17", "post=a"}
    assert list(after.status) == [0] * 5
    assert not after.errors


def test_a_clock_that_is_set_back_reads_again(world: Deployed) -> None:
    """What was made later than now is no answer of now."""
    both = Kept(world)
    both.ask()
    world.clock.advance(-5_000)

    assert both.ask() == both.ask_fresh()
    assert both.kept.stats().hits == 0


def test_a_past_instant_is_never_kept(world: Deployed) -> None:
    """It has the values of the library, in each layout."""
    both = Kept(world)
    right = world.client.prepare(list="feed_ranker").get(ENTITIES, at=NOW_MS - MINUTE_MS)
    layouts: tuple[Layout, ...] = ("columns", "packed")
    for layout in layouts:
        form = Form(layout=layout, numbers="float64", states=True)
        found = both.kept.find(both.served(), WANTED, ENTITIES, NOW_MS - MINUTE_MS, form)
        answer = GetFeaturesResponse.FromString(found.write())
        assert answer.counts_since_ms == right.counts_since_ms
        if layout == "columns":
            codes = np.array([list(column.states) for column in answer.columns]).T
            assert codes.tolist() == right.state_codes.tolist()

    assert both.kept.stats().size == 0
    with pytest.raises(OutOfReachError, match="in the future"):
        both.kept.find(both.served(), WANTED, ENTITIES, NOW_MS + 1, PACKED)


def test_without_a_cache_of_tiles_nothing_is_kept(world: Deployed) -> None:
    """A client that promises no bound keeps nothing, and answers have no ages."""
    both = Kept(world)
    plain = Answers(world.client, ROOM)
    for _ in range(2):
        written = plain.find(both.served(), WANTED, ENTITIES, None, Form()).write()

    assert (plain.stats().size, plain.stats().hits) == (0, 0)
    assert GetFeaturesResponse.FromString(written).read_ms == b""


def test_wrong_requests_are_the_librarys_errors(world: Deployed) -> None:
    """Kept or not."""
    both = Kept(world)
    both.ask()
    for entities in ({"user": 17}, {"user": [1, 2], "post": ["a"]}, {"user": "x", "post": ["a"]}):
        with pytest.raises(CallerError) as right:
            both.client.prepare(list="feed_ranker").get(entities)
        with pytest.raises(CallerError) as found:
            both.ask(entities=entities)
        assert str(found.value) == str(right.value)


def test_a_service_counts_what_it_keeps(world: Deployed) -> None:
    """The second request of the client is answered from kept bytes, with its age."""
    both = Kept(world)
    with serving(both.client, settings_of()) as running:
        with ServiceClient([running.settings.address], deadline_ms=60_000) as client:
            prepared = client.prepare(list="feed_ranker")
            first = prepared.get(ENTITIES)
            world.clock.advance(BOUND_MS // 2)
            reads = len(both.reader.requests)
            second = prepared.get(ENTITIES)
        _, text, _ = running.http("/metrics")

    assert len(both.reader.requests) == reads
    assert second.to_numpy().tobytes() == first.to_numpy().tobytes()
    assert first.ages_ms is not None
    assert second.ages_ms is not None
    assert (first.ages_ms.tolist(), second.ages_ms.tolist()) == ([0] * 5, [BOUND_MS // 2] * 5)
    assert 'fp_service_entities_total{outcome="hit"} 5.0' in text
    assert 'fp_service_entities_total{outcome="miss"} 5.0' in text
    assert "fp_service_kept_dropped_total 0.0" in text
