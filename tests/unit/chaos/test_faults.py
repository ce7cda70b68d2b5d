"""Faults are drawn by the seed alone, and each is told about."""

from itertools import islice
from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.rounds import Strike, rounds

DOCS = Path(__file__).parents[3] / "docs" / "chaos.md"


def drawn(seed: int, number: int) -> list[list[Strike]]:
    """Return the first rounds of a seed."""
    return list(islice(rounds(seed, sorted(KINDS)), number))


def test_a_seed_replays_its_faults() -> None:
    """The same seed draws the same rounds, another one others."""
    assert drawn(5, 60) == drawn(5, 60)
    assert drawn(5, 60) != drawn(6, 60)


def test_every_kind_comes_in_a_long_run() -> None:
    """None is so seldom that 200 faults do without it."""
    assert {strike.kind for round_ in drawn(1, 100) for strike in round_} == set(KINDS)


def test_slow_faults_share_no_round() -> None:
    """At most one fault of a round takes a minute."""
    slow = [sum(KINDS[strike.kind].slow for strike in round_) for round_ in drawn(2, 250)]

    assert max(slow) == 1


def test_only_some_kinds_are_drawn() -> None:
    """The kinds that are asked for are the ones that come."""
    some = islice(rounds(1, ["store_killed"]), 20)

    assert {strike.kind for round_ in some for strike in round_} == {"store_killed"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_is_documented(name: str) -> None:
    """The page about the suite says of each kind what it does, in its own words."""
    assert f"| `{name}` | {KINDS[name].words} |" in DOCS.read_text()
