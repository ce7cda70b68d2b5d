"""Faults of the disk: checkpoints and savepoints lost or damaged, and no room for new ones."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.faults import fault
from tests.chaos.testbed import JOB_MANAGER, TASK_MANAGER, Site
from tests.integration.small_disk import fill

SAVEPOINT_TIMEOUT_S = 60.0


@fault(weight=2)
def checkpoint_disk_full(site: Site, chance: random.Random) -> bool:
    """Fill the disk of the checkpoints for some seconds; sometimes the job fails meanwhile."""
    ballast = site.checkpoints / f"ballast-{chance.getrandbits(32):08x}"
    site.trouble.ballast.add(ballast)
    fill(ballast)
    time.sleep(chance.uniform(2, 10))
    if chance.random() < 0.3:
        site.send(TASK_MANAGER, signal.SIGKILL)
        site.start_process(TASK_MANAGER)
    ballast.unlink(missing_ok=True)
    site.trouble.ballast.discard(ballast)
    return True


@fault(weight=2)
def checkpoint_damaged(site: Site, chance: random.Random) -> bool:
    """Damage the newest checkpoint, then kill -9 what would have to restore it."""
    newest = _newest(site.checkpoints.glob("*/chk-*/_metadata"))
    damaged = newest is not None and _damage(newest.parent, chance)
    killed = _kill_some(site, chance)
    return damaged and killed


@fault(weight=1.5)
def checkpoints_lost(site: Site, chance: random.Random) -> bool:
    """Delete every checkpoint, then kill -9 what would have to restore one."""
    lost = _newest(site.checkpoints.glob("*/chk-*/_metadata")) is not None
    for job in site.checkpoints.glob("*"):
        if job.is_dir():
            shutil.rmtree(job, ignore_errors=True)
    killed = _kill_some(site, chance)
    return lost and killed


@fault(weight=1, slow=True)
def savepoint_damaged(site: Site, chance: random.Random) -> bool:
    """Kill -9 a deploying `fp` right after its savepoint, and damage that."""
    before = set(site.savepoints.glob("*"))
    process = site.start_deployer()
    deadline = time.monotonic() + SAVEPOINT_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        fresh = [path for path in set(site.savepoints.glob("*")) - before if _complete(path)]
        if fresh:
            site.kill_deployer(process, children=True)
            return _damage(fresh[0], chance)
        time.sleep(0.02)
    return False


def _kill_some(site: Site, chance: random.Random) -> bool:
    if chance.random() < 0.5:
        killed = site.send(TASK_MANAGER, signal.SIGKILL)
        site.start_process(TASK_MANAGER)
        return killed
    return site.send(JOB_MANAGER, signal.SIGKILL)


def _newest(found: Iterable[Path]) -> Path | None:
    """Return the youngest of files that may be deleted while one looks at them."""
    ages = [(age, path) for path in found if (age := _changed_ns(path)) is not None]
    return max(ages)[1] if ages else None


def _changed_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _complete(savepoint: Path) -> bool:
    return (savepoint / "_metadata").exists()


def _damage(folder: Path, chance: random.Random) -> bool:
    """Delete or cut off a file of a checkpoint; False if Flink was faster and deleted it all.

    Changed bytes are left out: Flink's files have no check sums, that is their disk's affair.
    """
    metadata = folder / "_metadata"
    states = sorted(path for path in folder.glob("*") if path.name != "_metadata")
    target = chance.choice([metadata, *states])
    how = chance.choice((_delete, _cut))
    try:
        how(target, chance)
    except FileNotFoundError:
        return False
    return True


def _delete(path: Path, _: random.Random) -> None:
    path.unlink()


def _cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(max(1, path.stat().st_size)))
