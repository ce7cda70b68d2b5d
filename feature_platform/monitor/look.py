"""Looks at every deployed feature set, as far as servers answer: one that is odd stops no other.

A tick that raises restarts no job at all. So what cannot be asked is left out and reported: without
Kafka the lag is unknown, without Flink the state of all jobs; trouble with one feature set is that
one's alone.
"""

from collections.abc import Sequence

from feature_platform.errors import BrokerUnavailableError, WorldError
from feature_platform.monitor.status import FLINK, KAFKA, FeatureSetStatus, Known, status, statuses
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report


def look(world: Known, report: Report, known_silent: Sequence[str] = ()) -> list[FeatureSetStatus]:
    """Return the state of everything deployed, by name.

    Args:
        world: What is asked.
        report: Called with what could not be asked, and why.
        known_silent: Servers that are known not to answer: they are not asked.

    Raises:
        StoreUnavailableError: The registry did not answer: nothing is known.
    """
    silent = list(known_silent)
    while True:
        try:
            return statuses(world, silent)
        except Exception as error:  # noqa: BLE001 (reported below, for what it belongs to)
            server = _who(world, error, silent)
            if not server:
                return _each_alone(world, silent, report)
            silent.append(server)
            report(f"{server} is skipped at this tick: {error}")


def _who(world: Known, error: Exception, silent: Sequence[str]) -> str:
    """Return the server that does not answer; empty if it is something else."""
    if isinstance(error, BrokerUnavailableError):
        return "" if KAFKA in silent else KAFKA
    if isinstance(error, WorldError) and FLINK not in silent:
        try:
            world.cluster.jobs()
        except WorldError:
            return FLINK
    return ""


def _each_alone(world: Known, silent: Sequence[str], report: Report) -> list[FeatureSetStatus]:
    found = (_alone(world, snapshot, silent, report) for snapshot in world.registry.snapshots())
    return [item for item in found if item]


def _alone(
    world: Known, snapshot: Snapshot, silent: Sequence[str], report: Report
) -> FeatureSetStatus | None:
    try:
        return status(world, snapshot, silent)
    except Exception as error:  # noqa: BLE001 (reported as this feature set's)
        report(f"{snapshot.featureset} cannot be observed: {type(error).__name__}: {error}")
        return None
