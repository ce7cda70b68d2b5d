"""Rendezvous hashing: an entity has one replica, and few move when replicas come and go."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.service.routing import key_hashes, owners

ADDRESSES = st.lists(
    st.from_regex(r"10\.0\.0\.[0-9]{1,3}:[0-9]{4}", fullmatch=True),
    min_size=1,
    max_size=8,
    unique=True,
)
KEYS = st.lists(st.text(min_size=1, max_size=20), max_size=200)


def owned(keys: Sequence[str], replicas: Sequence[str]) -> list[str]:
    """Return the replica of each key."""
    return [replicas[place] for place in owners(key_hashes("post", keys), replicas)]


@given(replicas=ADDRESSES, keys=KEYS, joined=st.just("10.9.9.9:8815"))
def test_a_replica_that_joins_takes_its_share_and_moves_nothing_else(
    replicas: list[str], keys: list[str], joined: str
) -> None:
    """Every key stays where it was, or goes to the new one; and back when that leaves."""
    before, after = owned(keys, replicas), owned(keys, [*replicas, joined])

    moved = {new for old, new in zip(before, after, strict=True) if old != new}
    assert moved <= {joined}


@given(replicas=ADDRESSES, keys=KEYS, seed=st.randoms(use_true_random=False))
def test_the_order_of_replicas_decides_nothing(
    replicas: list[str], keys: list[str], seed: object
) -> None:
    """Clients that list the same replicas differently agree."""
    shuffled = sorted(replicas, key=lambda _: seed.random())  # type: ignore[attr-defined]

    assert owned(keys, replicas) == owned(keys, shuffled)


@pytest.mark.parametrize("kind", ["post_id", "user_id"])
@pytest.mark.parametrize("count", [2, 3, 27])
def test_the_shares_are_alike(kind: str, count: int) -> None:
    """Consecutive numbers, as keys often are, spread evenly."""
    replicas = [f"10.0.0.{number}:8815" for number in range(count)]
    hashes = key_hashes(kind, [str(number) for number in range(27_000)])

    sizes = np.bincount(owners(hashes, replicas), minlength=count)

    fair = 27_000 / count
    assert sizes.min() > fair * 0.8
    assert sizes.max() < fair * 1.2


def test_a_key_is_where_it_was_in_earlier_versions() -> None:
    """Another hash would empty every cache once: that must be somebody's decision."""
    replicas = ["10.0.0.1:8815", "10.0.0.2:8815", "10.0.0.3:8815"]

    assert (
        owners(key_hashes("post_id", ["4711", "4712", "a", "ä", "4713"]), replicas).tolist()
        == PINNED
    )


PINNED = [1, 0, 2, 1, 1]
