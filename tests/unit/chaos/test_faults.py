"""Faults are drawn by the seed alone, and each is told about."""

from pathlib import Path

import pytest

from tests.chaos.faults import KINDS
from tests.chaos.rounds import rounds

DOCS = Path(__file__).parents[3] / "docs" / "chaos.md"


def test_a_seed_replays_its_faults() -> None:
    """The same seed draws the same rounds, another one others."""
    assert list(rounds(5, 200, sorted(KINDS))) == list(rounds(5, 200, sorted(KINDS)))
    assert list(rounds(5, 200, sorted(KINDS))) != list(rounds(6, 200, sorted(KINDS)))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    """The first rounds of a run do not depend on how many follow."""
    short, long = list(rounds(5, 20, sorted(KINDS))), list(rounds(5, 200, sorted(KINDS)))

    assert short[:-1] == long[: len(short) - 1]


def test_a_run_has_as_many_faults_as_asked() -> None:
    """The rounds add up, and every kind comes in a long run."""
    drawn = [strike.kind for round_ in rounds(1, 400, sorted(KINDS)) for strike in round_]

    assert len(drawn) == 400
    assert set(drawn) == set(KINDS)


def test_slow_faults_share_no_round() -> None:
    """At most one fault of a round takes a minute."""
    slow = [
        sum(KINDS[strike.kind].slow for strike in round_)
        for round_ in rounds(2, 600, sorted(KINDS))
    ]
    assert max(slow) == 1


def test_only_some_kinds_are_drawn() -> None:
    """The kinds that are asked for are the ones that come."""
    drawn = {strike.kind for round_ in rounds(1, 20, ["store_killed"]) for strike in round_}

    assert drawn == {"store_killed"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_is_documented(name: str) -> None:
    """The page about the suite says of each kind what it does, in its own words."""
    assert f"| `{name}` | {KINDS[name].words} |" in DOCS.read_text()
