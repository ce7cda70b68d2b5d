"""How long tiles are expected to be there, against rows that carry their own expiry."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from feature_platform.tiles.retention import STEPS_MAX, Retention

TILE_MS = 10
FUTURE_MS = 5
"""Events may be so much later than the clock."""
SLACK_MS = TILE_MS


@dataclass
class Table:
    """One entity's tiles of one level as a job writes them: the newest waits in the head. Mutable.

    A row is the number of its events and when it expires; what expired is not there.
    """

    kept_ms: int
    rows: dict[int, tuple[int, int]] = field(default_factory=dict)
    head: tuple[int, int] | None = None

    def count(self, time_ms: int, now_ms: int) -> None:
        """Count an event, as the kernel does."""
        start_ms = time_ms - time_ms % TILE_MS
        if self.head is None or start_ms > self.head[0]:
            if self.head:
                self._write(*self.head, now_ms)
            self.head = (start_ms, 1)
        elif start_ms == self.head[0]:
            self.head = (start_ms, self.head[1] + 1)
        else:
            self._write(start_ms, 1 + self.stored(start_ms, now_ms), now_ms)

    def stored(self, start_ms: int, now_ms: int) -> int:
        """Return how many events a tile holds."""
        if self.head and self.head[0] == start_ms:
            return self.head[1]
        events, expires_ms = self.rows.get(start_ms, (0, 0))
        return events if expires_ms > now_ms else 0

    def _write(self, start_ms: int, events: int, now_ms: int) -> None:
        expires_ms = start_ms + TILE_MS + self.kept_ms
        if expires_ms > now_ms:
            self.rows[start_ms] = (events, expires_ms)


Act = tuple[str, int, int]
"""`event` and how much older than now it may be, or `keep` and for how long; and time that goes."""

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(-FUTURE_MS, 150), st.integers(0, 9)),
        st.tuples(st.just("keep"), st.sampled_from([0, 3, 20, 40, 90, 130]), st.integers(0, 40)),
    ),
    max_size=60,
)


@dataclass
class Moment:
    """What is there, and what there should be. Mutable."""

    now_ms: int
    table: Table
    kept: Retention
    events: Counter[int]
    changes: list[tuple[int, int]] = field(default_factory=list)
    """When which time was kept from then on."""


def moments(acts: list[Act]) -> Iterator[Moment]:
    """Yield what is there after each act; events never come before the first layout."""
    at = Moment(
        now_ms=1_000,
        table=Table(20),
        kept=Retention.begun([20]),
        events=Counter(),
        changes=[(0, 20)],
    )
    for what, number, passed_ms in acts:
        at.now_ms += passed_ms
        if what == "keep":
            at.kept = at.kept.changed([number], at.now_ms + FUTURE_MS)
            at.table.kept_ms = number
            at.changes.append((at.now_ms, number))
        else:
            time_ms = at.now_ms - number
            at.table.count(time_ms, at.now_ms)
            at.events[time_ms - time_ms % TILE_MS] += 1
        yield at


@given(ACTS)
@settings(max_examples=400)
@example([("event", 0, 0), ("event", 0, 15), ("keep", 130, 30), ("event", 0, 5)])
@example([("event", 0, 0), ("event", 0, 15), ("keep", 3, 0), ("event", 14, 0), ("keep", 130, 5)])
def test_a_tile_that_lasts_holds_all_its_events(acts: list[Act]) -> None:
    """Whatever layouts came and went, and however late events were."""
    for at in moments(acts):
        for start_ms, number in at.events.items():
            kept_ms = at.kept.lasts_ms(0, start_ms)
            assert kept_ms is not None
            if start_ms + TILE_MS + kept_ms > at.now_ms:
                assert at.table.stored(start_ms, at.now_ms) == number


@given(ACTS)
@settings(max_examples=400)
@example([("event", 0, 0), ("event", 0, 15), ("keep", 130, 0), ("event", 0, 30)])
def test_from_when_on_all_is_there(acts: list[Act]) -> None:
    """That is how far back a question about the past may go."""
    for at in moments(acts):
        whole_ms = at.kept.whole_from_ms(0, at.now_ms, 0, SLACK_MS)
        for start_ms, number in at.events.items():
            if start_ms + TILE_MS > whole_ms:
                assert at.table.stored(start_ms, at.now_ms) == number


@given(ACTS, st.sampled_from([3, 20, 40, 90, 130]))
@settings(max_examples=400)
@example([("event", 0, 0), ("event", 0, 15), ("keep", 130, 0), ("event", 0, 30)], 90)
def test_a_window_counts_from_when_its_tiles_live_long_enough(
    acts: list[Act], window_ms: int
) -> None:
    """Of younger events none is ever missing while the window reaches them."""
    for at in moments(acts):
        if at.kept.kept_ms[0] < window_ms:
            continue
        since_ms = at.kept.answers_from_ms(0, window_ms)
        for start_ms, number in at.events.items():
            if start_ms >= since_ms and start_ms + TILE_MS > at.now_ms - window_ms:
                assert at.table.stored(start_ms, at.now_ms) == number


@given(ACTS)
@settings(max_examples=200)
def test_a_tile_under_one_layout_lasts_as_long_as_that_keeps_it(acts: list[Act]) -> None:
    """The rule is no more careful than it must be: it forgets what no longer binds."""
    for at in moments(acts):
        for start_ms in range(900, at.now_ms, TILE_MS):
            ends = [*(ms for ms, _ in at.changes[1:]), 1 << 60]
            bound = [
                kept_ms
                for (_, kept_ms), end_ms in zip(at.changes, ends, strict=True)
                if start_ms < end_ms + FUTURE_MS
            ]
            assert at.kept.lasts_ms(0, start_ms) == min(bound)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-30, 60)), max_size=80))
@example([(10, 5)] * 60)
def test_what_is_remembered_is_bounded_and_survives_json(changes: list[tuple[int, int]]) -> None:
    """With very many ever longer times it becomes more careful, never less."""
    now_ms, kept, naive, is_exact = 0, Retention.begun([7]), [(1 << 60, 7)], True
    for passed_ms, longer_ms in changes:
        now_ms += passed_ms
        kept_ms = max(0, kept.kept_ms[0] + longer_ms)
        kept = kept.changed([kept_ms], now_ms)
        naive[-1] = (now_ms, naive[-1][1])
        naive.append((1 << 60, kept_ms))
        assert len(kept.earlier[0]) <= STEPS_MAX
        assert Retention.from_json(kept.to_json()) == kept
        is_exact = is_exact and len(kept.earlier[0]) < STEPS_MAX
        for start_ms in range(0, now_ms + 10, 7):
            expected = min(ms for before_ms, ms in naive if start_ms < before_ms)
            found = kept.lasts_ms(0, start_ms)
            assert found is not None
            assert found == expected if is_exact else found <= expected


def test_what_nobody_recorded_is_unknown() -> None:
    """Rows of before may carry any expiry."""
    kept = Retention.begun([100], unknown_before_ms=50).changed([200], 80)
    assert [kept.lasts_ms(0, start_ms) for start_ms in (49, 50, 79, 80)] == [None, 100, 100, 200]
    assert kept.answers_from_ms(0, 10) == 50
    assert kept.answers_from_ms(0, 150) == 80
