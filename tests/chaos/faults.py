"""The kinds of faults: what each does to the stack, and how often it is drawn.

A fault returns when it has struck, and tells whether it did: one that met nothing to break is not
counted. What it broke for good (a dead server, a frozen one that nobody
thawed) is taken back at the end of its round. Faults of one round overlap: each runs in a thread.
"""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from feature_platform.errors import FeaturePlatformError
from tests.chaos import odd_events as odd
from tests.chaos.definitions import NAME
from tests.chaos.proxy import Mode, Spoil
from tests.chaos.testbed import JOB_MANAGER, TASK_MANAGER, ZOMBIE, Site

PAUSE_MAX_S = 60.0
CANCEL_WITHIN_S = 20.0

Strike = Callable[[Site, random.Random], bool]
"""Tells whether it met what it wanted to break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault."""

    name: str
    weight: float
    """How often it is drawn, against the others."""
    strike: Strike
    slow: bool
    """Takes a minute or more: at most one in a round."""

    @property
    def words(self) -> str:
        """What it does, in a sentence."""
        return (self.strike.__doc__ or "").split("\n", maxsplit=1)[0]


KINDS: dict[str, Kind] = {}


def fault(weight: float, *, slow: bool = False) -> Callable[[Strike], Strike]:
    """Register a kind of fault under the function's name."""

    def register(strike: Strike) -> Strike:
        KINDS[strike.__name__] = Kind(name=strike.__name__, weight=weight, strike=strike, slow=slow)
        return strike

    return register


def possible(site: Site) -> Mapping[str, str]:
    """Return the kinds that cannot be had here, with the reason."""
    if site.small_disk:
        return {}
    return {"checkpoint_disk_full": "a file system of its own cannot be mounted here"}


@fault(weight=3)
def task_manager_killed(site: Site, chance: random.Random) -> bool:
    """Kill -9 the task manager; another one starts soon, and Flink restarts the job."""
    struck = site.send(TASK_MANAGER, signal.SIGKILL)
    time.sleep(chance.uniform(0, 2))
    site.start_process(TASK_MANAGER)
    return struck


@fault(weight=2)
def job_manager_killed(site: Site, _: random.Random) -> bool:
    """Kill -9 the job manager: the cluster without high availability forgets its jobs."""
    return site.send(JOB_MANAGER, signal.SIGKILL)


@fault(weight=2)
def job_manager_replaced(site: Site, chance: random.Random) -> bool:
    """Kill -9 the job manager and start another; the old job's tasks live until they notice."""
    struck = site.send(JOB_MANAGER, signal.SIGKILL)
    time.sleep(chance.uniform(0, 1))
    site.start_process(JOB_MANAGER)
    return struck


@fault(weight=2)
def job_cancelled(site: Site, _: random.Random) -> bool:
    """Cancel the job behind the platform's back."""
    deadline = time.monotonic() + CANCEL_WITHIN_S
    while time.monotonic() < deadline:
        # Another fault may be faster, and the job's successor not there yet.
        with suppress(FeaturePlatformError), site.world() as world:
            snapshot = world.registry.snapshot(NAME)
            job = world.cluster.job(snapshot.job_id) if snapshot else None
            if job and job.lives:
                world.cluster.cancel(job.id)
                return True
        time.sleep(0.5)
    return False


@fault(weight=2)
def broker_killed(site: Site, _: random.Random) -> bool:
    """Kill -9 the broker; it comes back with a new leader epoch for every partition."""
    return site.send("kafka", signal.SIGKILL)


@fault(weight=1)
def broker_restarted(site: Site, chance: random.Random) -> bool:
    """Stop the broker in good order and start it: a new leader epoch, while the job runs on."""
    with site.lock:
        struck = site.processes.find("kafka") is not None
        site.processes.stop("kafka")
        time.sleep(chance.uniform(0, 1))
        site.start_process("kafka")
    return struck


@fault(weight=1)
def broker_paused(site: Site, chance: random.Random) -> bool:
    """Freeze the broker for some seconds."""
    return _pause(site, "kafka", chance.uniform(1, 8))


@fault(weight=2)
def store_killed(site: Site, _: random.Random) -> bool:
    """Kill -9 the store; it comes back from its commit log."""
    return site.send("cassandra", signal.SIGKILL)


@fault(weight=3)
def store_paused(site: Site, chance: random.Random) -> bool:
    """Freeze the store for up to a minute, mostly for some seconds."""
    seconds = chance.choice((1.0, 3.0, 6.0, 10.0, 15.0, 15.0, PAUSE_MAX_S))
    return _pause(site, "cassandra", seconds)


@fault(weight=2)
def task_manager_paused(site: Site, chance: random.Random) -> bool:
    """Freeze the task manager, shorter or longer than it takes to be given up."""
    return _pause(site, TASK_MANAGER, chance.uniform(1, 12))


@fault(weight=1)
def all_killed(site: Site, _: random.Random) -> bool:
    """Kill -9 everything at once."""
    servers = (TASK_MANAGER, JOB_MANAGER, "kafka", "cassandra")
    killed = [site.send(name, signal.SIGKILL) for name in servers]
    return any(killed)


@fault(weight=1.5, slow=True)
def task_manager_zombie(site: Site, chance: random.Random) -> bool:
    """Freeze the task manager until its successor runs the job, then let it write on."""
    if not site.make_zombie():
        return False
    deadline = time.monotonic() + 30
    before = site.newest_attempt()
    succeeded = False
    while time.monotonic() < deadline and not succeeded:
        time.sleep(0.5)
        succeeded = site.newest_attempt() > before > 0
    time.sleep(chance.uniform(0, 2))
    site.send(ZOMBIE, signal.SIGCONT)
    time.sleep(chance.uniform(2, 6))
    return succeeded


@fault(weight=2, slow=True)
def deployed(site: Site, chance: random.Random) -> bool:
    """Apply another variant of the definition while the other faults of the round happen."""
    site.start_deployer()
    time.sleep(chance.uniform(3, 15))
    return True


@fault(weight=2, slow=True)
def deployer_killed(site: Site, chance: random.Random) -> bool:
    """Kill -9 a deploying `fp` somewhere on its way, alone or with its client of Flink."""
    process = site.start_deployer()
    time.sleep(chance.uniform(1, 20))
    struck = process.poll() is None
    site.kill_deployer(process, children=chance.random() < 0.5)
    return struck


@fault(weight=2)
def store_refused(site: Site, chance: random.Random) -> bool:
    """Close the job's connections to the store and refuse new ones for some seconds."""
    return _spoil(site, chance, "refuse", share=1.0)


@fault(weight=2)
def store_slow(site: Site, chance: random.Random) -> bool:
    """Delay the store's answers, some beyond the job's time-out."""
    return _spoil(site, chance, "slow", share=chance.choice((0.05, 0.3, 1.0)))


@fault(weight=3)
def acknowledgements_lost(site: Site, chance: random.Random) -> bool:
    """Swallow answers of the store: it has written, and the job never hears of it."""
    return _spoil(site, chance, "swallow", share=chance.choice((0.02, 0.2, 0.7)))


@fault(weight=3)
def store_errors(site: Site, chance: random.Random) -> bool:
    """Answer reads and writes with time-outs, overload and unavailability; they never arrive."""
    return _spoil(site, chance, "fail", share=chance.choice((0.05, 0.4, 0.9)))


@fault(weight=2)
def store_errors_after(site: Site, chance: random.Random) -> bool:
    """Let reads and writes arrive and answer that they timed out."""
    return _spoil(site, chance, "fail_after", share=chance.choice((0.05, 0.4, 0.9)))


@fault(weight=3)
def writes_late(site: Site, chance: random.Random) -> bool:
    """Answer that a write timed out, and let it arrive seconds later."""
    return _spoil(site, chance, "late", share=chance.choice((0.05, 0.4, 0.9)))


def _pause(site: Site, name: str, seconds: float) -> bool:
    struck = site.send(name, signal.SIGSTOP)
    time.sleep(seconds)
    site.send(name, signal.SIGCONT)
    return struck


def _spoil(site: Site, chance: random.Random, mode: Mode, *, share: float) -> bool:
    """Spoil traffic for some seconds; of two faults at once the later one counts."""
    spoil = Spoil(mode=mode, share=share, seconds=chance.uniform(1, 8))
    before = site.proxy.tally.spoilt
    site.proxy.spoil(spoil)
    time.sleep(chance.uniform(1, 8))
    site.proxy.unspoil(spoil)
    return site.proxy.tally.spoilt > before


@fault(weight=3)
def odd_events(site: Site, chance: random.Random) -> bool:
    """Send what other programs do: huge texts, the largest events, floods, odd keys and times."""
    for draw in chance.sample(odd.KINDS, k=3):
        site.odd_events.send(draw, chance)
        time.sleep(chance.uniform(0, 1))
    return True
