"""Values that are served without the newest events are told from wrong ones."""

from collections.abc import Collection
from typing import Any

import pytest

from feature_platform.debug import states
from feature_platform.debug.account import Account, first_of, until
from feature_platform.debug.behind import Values, behind
from tests.unit.debug.debug_case import NOW_MS, accounted, in_partition, record

ALL = 12
NAMES = {"events_2h", "views_2h", "likes_2h", "total_2h"}


def values_of(state: Account) -> dict[str, Any]:
    """Return what a state is served as."""
    return dict(state.oracle.served(state.entity, NOW_MS))


@pytest.fixture(name="whole")
def _whole() -> Account:
    """Return an entity whose events came one a minute, each with an offset of its own."""
    return accounted([record(at, minutes=20 - at, ms=10 + at) for at in range(ALL)])


@pytest.fixture(name="few", params=[False, True])
def _few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Compare every state, or only two."""
    if request.param:
        monkeypatch.setattr(states, "RECOUNTED_MAX", 2 * ALL)
    return bool(request.param)


def _behind(whole: Account, cut: int, served: Values, differing: Collection[str]) -> set[str]:
    as_of_cut = until(whole, {0: cut})
    return behind(whole, as_of_cut, values_of, values_of(whole), served, differing)


@pytest.mark.parametrize("flushed", [4, 5, 9, 11])
def test_every_state_since_the_cut_is_known(whole: Account, flushed: int, few: bool) -> None:
    """Whatever the rows hold of what came after the cut, nothing is called wrong."""
    del few
    served = values_of(first_of(whole, flushed))
    differing = {name for name, value in values_of(whole).items() if served[name] != value}
    assert differing == {"events_2h", "views_2h", "total_2h"}
    assert _behind(whole, 4, served, differing) == differing


@pytest.mark.parametrize(("name", "value"), [("events_2h", 3), ("events_2h", 13), ("likes_2h", 1)])
def test_a_value_of_no_state_is_not(whole: Account, name: str, value: int, few: bool) -> None:
    """It is older than the cut, or newer than everything."""
    del few
    served = values_of(whole) | {name: value}
    assert _behind(whole, 4, served, {name}) == set()


def test_a_sum_of_no_state(whole: Account, few: bool) -> None:
    """It is found if every state is compared; of some of them it cannot be said."""
    served = values_of(whole) | {"total_2h": 100_000}
    found = _behind(whole, 4, served, {"total_2h"})
    assert found == ({"total_2h"} if few else set())


def test_nothing_is_behind_a_cut_that_has_everything(whole: Account) -> None:
    """Then a value that differs is wrong."""
    served = values_of(whole) | {"events_2h": 11}
    assert _behind(whole, ALL, served, {"events_2h"}) == set()


@pytest.fixture(name="two")
def _two() -> Account:
    """Return an entity whose events came in turn in two partitions."""
    records = [record(at, minutes=20 - at, ms=10 + at) for at in range(ALL)]
    return accounted([in_partition(each, each.event.offset % 2) for each in records])


@pytest.mark.parametrize("flushed", [{0: 4, 1: ALL}, {0: ALL, 1: 4}, {0: 7, 1: 9}])
def test_a_partition_may_be_ahead_of_another(
    two: Account, flushed: dict[int, int], few: bool
) -> None:
    """A job reads them independently: a newer event is counted, and an older one is not."""
    del few
    served = values_of(until(two, flushed))
    full = values_of(two)
    differing = {name for name, value in full.items() if served[name] != value}
    as_of_cut = until(two, {0: 4, 1: 4})
    assert behind(two, as_of_cut, values_of, full, served, differing) == differing


def test_a_sum_of_no_state_of_two_partitions(two: Account, few: bool) -> None:
    """Every state of both is compared, or it is not judged."""
    full = values_of(two)
    served = full | {"total_2h": 100_000, "events_2h": 3}
    found = behind(
        two, until(two, {0: 4, 1: 4}), values_of, full, served, {"total_2h", "events_2h"}
    )
    assert found == ({"total_2h"} if few else set())
