"""Holding a lease while stages are walked."""

import pytest

from feature_platform.deploy import lease
from feature_platform.deploy.lease import HeldLease
from feature_platform.errors import LeaseHeldError, StoreUnavailableError
from feature_platform.registry.base import Lease
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.testing.clock import ManualClock


class FlakyRegistry(MemoryRegistry):
    """A registry whose store goes down. Mutable: a test says when."""

    down = False

    def take_lease(self, name: str, holder: str, now_ms: int) -> Lease:
        """Fail while it is down."""
        if self.down:
            msg = "the store is down"
            raise StoreUnavailableError(msg)
        return super().take_lease(name, holder, now_ms)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock(1_000)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew every hundredth of a second; a lease lasts three of them."""
    monkeypatch.setattr(lease, "RENEW_S", 0.01)
    monkeypatch.setattr(lease, "LEASE_TTL_S", 0.05)


def wait_for(held: HeldLease) -> None:
    """Give the thread time to find out."""
    held._left.wait(0.2)


def test_it_is_held_inside_and_free_afterwards(clock: ManualClock) -> None:
    """Also if the work fails."""
    registry = MemoryRegistry(clock)
    with HeldLease(registry, clock, "posts", "me") as held:
        wait_for(held)
        held.check()
        assert registry.lease("posts") is not None
    assert registry.lease("posts") is None


def test_two_walks_of_one_process_exclude_each_other(clock: ManualClock) -> None:
    """Two threads are two holders."""
    registry = MemoryRegistry(clock)
    with (
        HeldLease(registry, clock, "posts", "me"),
        pytest.raises(LeaseHeldError, match="by me, walk"),
    ):
        HeldLease(registry, clock, "posts", "me")


def test_a_lease_that_cannot_be_renewed_stops_the_walk(clock: ManualClock) -> None:
    """By then somebody else may hold it."""
    registry = FlakyRegistry(clock)
    with HeldLease(registry, clock, "posts", "me") as held:
        registry.down = True
        wait_for(held)
        with pytest.raises(LeaseHeldError, match="could not be renewed in time"):
            held.check()


def test_a_store_that_comes_back_in_time_is_forgiven(clock: ManualClock) -> None:
    """Renewing goes on."""
    registry = FlakyRegistry(clock)
    with HeldLease(registry, clock, "posts", "me") as held:
        registry.down = True
        held._left.wait(0.02)
        registry.down = False
        wait_for(held)
        held.check()


def test_a_lease_that_somebody_else_took_stops_the_walk(clock: ManualClock) -> None:
    """It had run out, for example while the process was suspended."""
    registry = MemoryRegistry(clock)
    with HeldLease(registry, clock, "posts", "me") as held:
        clock.advance(61_000)
        registry.take_lease("posts", "you", clock.now_ms())
        wait_for(held)
        with pytest.raises(LeaseHeldError):
            held.check()
    kept = registry.lease("posts")
    assert kept is not None
    assert kept.holder == "you"
