"""How old an answer of a service is, and whether it may be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.debug import states
from feature_platform.debug.account import Account, first_of, until
from feature_platform.debug.report import Link
from feature_platform.debug.service_link import Answer, service_link
from feature_platform.registry.base import Cut
from tests.unit.debug.debug_case import MINUTE_MS, NOW_MS, accounted, in_partition, record

WHOLE = accounted([record(1, minutes=3), record(2, minutes=2), record(3, minutes=1)])
"""Offsets and broker times ascend."""


def served(state: Account) -> Mapping[str, Any]:
    """Return what is to be served of a state."""
    return state.oracle.served(state.entity, NOW_MS)


def cut(number: int, offset: int, seconds_ago: int) -> Cut:
    """Return a cut that holds the events below an offset."""
    return Cut(
        attempt=1,
        checkpoint_id=number,
        positions={"posts/0": offset},
        recorded_ms=NOW_MS - seconds_ago * 1_000,
    )


CUTS = [cut(3, 4, 20), cut(2, 4, 50), cut(1, 2, 90)]


def found(
    values: Mapping[str, Any], *, cuts: Sequence[Cut] = CUTS, age_ms: int = 3, bound_ms: int = 1_000
) -> Link:
    """Return what is said of an answer."""
    answer = Answer(address="here:1", values=values, age_ms=age_ms, asked_ms=NOW_MS)
    return service_link(answer, WHOLE, served, cuts, bound_ms)


def before(offset: int) -> dict[str, Any]:
    """Return the values as of the events below an offset."""
    rows = [each.record for each in WHOLE.events if each.record.event.offset < offset]
    return dict(served(accounted(rows)))


def test_an_answer_as_the_events_say() -> None:
    """It is fine, however old the service says that it is."""
    link = found(before(9))
    assert link.state == "fine"
    assert "4 values as the events say; it says that it has read the rows 3 ms before" in (
        link.summary
    )


def test_an_answer_that_is_older_than_it_may_be() -> None:
    """The first event that it lacks is named, and since when that is in the rows."""
    link = found(before(2), age_ms=60_000)
    assert link.state == "wrong"
    assert "here:1 answers events_2h as 1, its events say 3: it lacks 2 events" in link.summary
    assert "the first of them 0/2 of " in link.summary
    assert "at least 50 s old" in link.summary
    assert "1 min 0 s before; service.max_staleness_ms of this project is 1,000" in link.details[0]
    assert "another max_staleness_ms" in link.next_step


def test_an_answer_that_is_older_than_it_says() -> None:
    """It claims to be young: its cache is wrong."""
    link = found(before(2), age_ms=10)
    assert link.state == "wrong"
    assert "younger than it is: restart it" in link.next_step


def test_an_answer_that_may_be_so_old() -> None:
    """It is a note."""
    assert found(before(3), bound_ms=MINUTE_MS).state == "note"


def test_an_answer_without_events_that_are_not_written_yet() -> None:
    """No cut holds them."""
    link = found(before(3), cuts=[cut(1, 3, 90)])
    assert link.state == "note"
    assert "Z, not yet in a cut" in link.summary


def test_an_answer_from_somewhere_else() -> None:
    """No state of the events gives it."""
    link = found({**before(9), "events_2h": 77})
    assert link.state == "wrong"
    assert "no state that its events had before gives this" in link.summary
    assert "this store and keyspace" in link.next_step


def test_no_answer() -> None:
    """Nothing is known then."""
    link = service_link("service here:1 does not answer", WHOLE, served, CUTS, 1_000)
    assert (link.state, link.summary) == ("unknown", "service here:1 does not answer")


def test_values_that_an_earlier_definition_counted_are_not_judged() -> None:
    """The others are, and the names of those that are not are said."""
    answer = Answer(
        address="here:1", values=before(9) | {"views_2h": 99}, age_ms=3, asked_ms=NOW_MS
    )
    assert service_link(answer, WHOLE, served, CUTS, 1_000).state == "wrong"
    link = service_link(answer.without({"views_2h"}), WHOLE, served, CUTS, 1_000)
    assert link.state == "fine"
    assert "answers 3 values as the events say" in link.summary
    assert "what an earlier definition counted: views_2h" in link.summary
    link = service_link(answer.without({*answer.values}), WHOLE, served, CUTS, 1_000)
    assert link.state == "note"


TWO = accounted(
    [
        record(1, minutes=3),
        in_partition(record(2, minutes=2), 1),
        record(3, minutes=1),
    ]
)
"""In two partitions, which a job reads independently."""
TWO_CUTS = [
    replace(each, positions={**each.positions, "posts/1": at})
    for each, at in zip(CUTS, (3, 3, 0), strict=True)
]


def test_a_partition_may_be_ahead_of_another() -> None:
    """The answer holds the newest event of one, and lacks older ones of the other."""
    values = served(until(TWO, {1: 3}))
    answer = Answer(address="here:1", values=values, age_ms=10, asked_ms=NOW_MS)
    link = service_link(answer, TWO, served, TWO_CUTS, MINUTE_MS)
    assert "it lacks 2 events, the first of them 0/1 of " in link.summary


@pytest.fixture(name="few")
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "RECOUNTED_MAX", 2 * len(TWO.events))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("whole", [WHOLE, TWO])
def test_an_answer_of_a_state_that_is_not_compared(whole: Account) -> None:
    """It may be right: nothing is claimed but what the service itself says."""
    values = {**served(first_of(whole, 0)), "total_2h": 12}
    recounted: list[Account] = []

    def counting(state: Account) -> Mapping[str, Any]:
        recounted.append(state)
        return served(state)

    answer = Answer(address="here:1", values=values, age_ms=10, asked_ms=NOW_MS)
    link = service_link(answer, whole, counting, CUTS, 1_000)
    assert link.state == "unknown"
    assert "not judged, because its events had more states than are compared" in link.summary
    assert link.next_step.startswith("ask again after 1,000 ms without new events")
    assert len(recounted) <= 5
    link = service_link(replace(answer, age_ms=60_000), whole, served, CUTS, 1_000)
    assert link.state == "wrong"
    assert "another max_staleness_ms" in link.next_step
    foreign = replace(answer, values={**values, "events_2h": 77})
    link = service_link(foreign, whole, served, CUTS, 1_000)
    assert link.state == "wrong"
    assert "no state that its events had before gives this" in link.summary
