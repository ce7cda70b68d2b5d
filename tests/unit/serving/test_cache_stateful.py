"""Whatever happens, a cached answer is what the oracle says, as of when it says it was read."""

import copy
import json
from collections.abc import Callable

import hypothesis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from feature_platform.definition.model import FeatureSet
from feature_platform.rows.partials import Value
from feature_platform.serving import CacheSettings
from feature_platform.testing import Oracle, RawEvent, deploy_in_memory
from feature_platform.tiles.grid import Grid
from tests.unit.serving.cached import CachedWorld

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
START_MS = 1_700_000_040_000
POSTS = ("a", "b")
GRIDS = (Grid.of(("1m", "5m", "30m", "1d")), Grid.of(("1m", "10m"), finest_depth=2))
ASKED = (
    ("posts.views_2m", "posts.watch_30m", "posts.action"),
    ("posts.views_1d", "posts.views_lifetime", "posts.mean_watch_2h", "posts.best_2h"),
    ("posts.views_2h", "posts.worst_30m", "posts.actions", "posts.first_seen_1d"),
)
STEPS_MS = (1, 400, 1_000, 30_000, MINUTE_MS, 6 * MINUTE_MS, 40 * MINUTE_MS)
LATE_MS = (0, 0, 0, 10_000, 2 * MINUTE_MS, 7 * MINUTE_MS, 50 * MINUTE_MS, 90 * MINUTE_MS)
BACK_MS = (1, 5_000, 4 * MINUTE_MS)
BACK_MAX_MS = HOUR_MS
"""Less than tiles are kept beyond their windows."""


class CacheMachine(RuleBasedStateMachine):
    """Events arrive, tiles close, late events land, the clock jumps, jobs are replaced."""

    featuresets: tuple[FeatureSet, ...]

    @initialize(
        grid=st.sampled_from([0, 1]),
        bytes_max=st.sampled_from([1 << 20, 1 << 20, 3_000]),
        late_bound_ms=st.sampled_from([HOUR_MS, 10 * MINUTE_MS]),
    )
    def begin(self, grid: int, bytes_max: int, late_bound_ms: int) -> None:
        """Deploy it, without events."""
        self.world = deploy_in_memory(self.featuresets[grid], [], START_MS)
        self.cached = CachedWorld(
            self.world, CacheSettings(bytes_max=bytes_max, late_bound_ms=late_bound_ms)
        )
        self.latest_ms, self.offset = START_MS, 0
        self.seen: dict[str, set[tuple[int, int]]] = {post: set() for post in POSTS}
        """Of each post: when it was looked at, and how many events were there."""

    @rule(
        post=st.sampled_from(POSTS),
        late_ms=st.sampled_from(LATE_MS),
        count=st.sampled_from([1, 1, 2, 5]),
        watch=st.integers(-3, 3) | st.just(2**62),
        between=st.none() | st.sampled_from(ASKED),
    )
    def events_arrive(
        self, post: str, late_ms: int, count: int, watch: int, between: tuple[str, ...] | None
    ) -> None:
        """Some events of one post, in one flush; often between two questions about it."""
        if between:
            self._ask(between, [post], None, None)
        now_ms = self.world.clock.now_ms()
        made = []
        for number in range(count):
            ts = now_ms - late_ms - 20_000 * number
            columns = {"action": "view", "watch": watch + number, "score": number, "seen": ts}
            value = json.dumps({"post": post, "ts": ts, **columns}).encode()
            self.offset += 1
            made.append(RawEvent(value=value, partition=0, offset=self.offset, timestamp_ms=now_ms))
        self.cached.arrive(made)
        if between:
            self.time_passes(1_000)
            self._ask(between, [post], None, None)

    @rule(step_ms=st.sampled_from(STEPS_MS))
    def time_passes(self, step_ms: int) -> None:
        """The clock moves on."""
        self.world.clock.advance(step_ms)
        self.latest_ms = max(self.latest_ms, self.world.clock.now_ms())

    @rule(back_ms=st.sampled_from(BACK_MS))
    def the_clock_is_set_back(self, back_ms: int) -> None:
        """It shows what it has shown before."""
        now_ms = self.world.clock.now_ms() - back_ms
        if now_ms >= max(self.latest_ms - BACK_MAX_MS, START_MS):
            self.world.clock.set(now_ms)

    @rule()
    def the_job_fails_and_restarts(self) -> None:
        """Its next writes are another attempt's."""
        self.cached.attempt, self.cached.flush = self.cached.attempt + 1, 0

    @rule(generation=st.booleans())
    def it_is_deployed(self, generation: bool) -> None:
        """Another job writes the table, or another table is served."""
        self.cached.deploy(generation=generation)

    @rule(
        names=st.sampled_from(ASKED),
        posts=st.lists(st.sampled_from(POSTS), min_size=1, max_size=2, unique=True),
        bound_ms=st.sampled_from([None, None, 0, 1_000, 10 * MINUTE_MS]),
        edge=st.sampled_from([None, None, "5m"]),
    )
    def a_ranker_asks(
        self, names: tuple[str, ...], posts: list[str], bound_ms: int | None, edge: str | None
    ) -> None:
        """Something, of some posts, as young as it likes."""
        self._ask(names, posts, bound_ms, edge)

    def _ask(
        self, names: tuple[str, ...], posts: list[str], bound_ms: int | None, edge: str | None
    ) -> None:
        """Every value is the oracle's, of the events that were there when it was read."""
        now_ms = self.world.clock.now_ms()
        for post in POSTS:
            self.seen[post].add((now_ms, len(self.world.oracle.rows.get(post, ()))))
        prepared = self.cached.client.prepare(names, edge=edge)
        matrix = prepared.get(posts, max_staleness_ms=bound_ms)
        assert matrix.ages_ms is not None
        most_ms = 1_000 if bound_ms is None else bound_ms
        edge_ms = 0 if edge is None else 5 * MINUTE_MS
        for row, age_ms in zip(matrix.to_dicts(), matrix.ages_ms.tolist(), strict=True):
            assert 0 <= age_ms <= most_ms
            assert row["age_ms"] == age_ms
            post = str(row["entity"])
            known = {count for at_ms, count in self.seen[post] if at_ms == now_ms - age_ms}
            if bound_ms == 0:
                known = {len(self.world.oracle.rows.get(post, ()))}
            expected = [self._expected(post, count, now_ms, edge_ms, names) for count in known]
            assert (row["values"], row["status"]) in expected

    def _expected(
        self, post: str, count: int, now_ms: int, edge_ms: int, names: tuple[str, ...]
    ) -> tuple[dict[str, Value], str]:
        """Return what is served when only the first events of a post are there."""
        past: Oracle = copy.copy(self.world.oracle)
        past.rows = {post: self.world.oracle.rows.get(post, [])[:count]}
        values = past.served(post, now_ms, edge_ms=edge_ms)
        wanted = {name: values[name.partition(".")[2]] for name in names}
        return wanted, "ok" if count else "no_data"

    def teardown(self) -> None:
        """What is kept never takes more than it may, and the cache was used."""
        if hasattr(self, "cached"):
            stats = self.cached.client.cache_stats()
            assert stats is not None
            hypothesis.event(f"hits: {min(stats.hits, 3)}, refreshes: {min(stats.refreshes, 3)}")


def test_a_cached_answer_is_never_wrong(
    featureset: FeatureSet, regrid: Callable[[Grid], FeatureSet]
) -> None:
    """For the instant it names, of all events up to when it says that it was read."""
    assert featureset
    CacheMachine.featuresets = tuple(regrid(grid) for grid in GRIDS)
    run_state_machine_as_test(
        CacheMachine, settings=settings(max_examples=30, stateful_step_count=25, deadline=None)
    )
