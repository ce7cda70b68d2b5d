"""Looks at every deployed feature set, as far as servers answer: one that is odd stops no other.

A tick that raises restarts no job at all. So what cannot be asked is left out and reported: without
Kafka the lag is unknown, without Flink the state of all jobs; trouble with one feature set is that
one's alone.
"""

from collections.abc import Callable, Sequence
from functools import partial

from feature_platform.errors import BrokerUnavailableError, WorldError
from feature_platform.monitor.status import FLINK, KAFKA, FeatureSetStatus, Known, status, statuses
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report

_Ask = Callable[[Snapshot], FeatureSetStatus]


def look(
    world: Known, report: Report, known_silent: Sequence[str] = (), *, detailed: bool = True
) -> list[FeatureSetStatus]:
    """Return the state of everything deployed, by name.

    Args:
        world: What is asked.
        report: Called with what could not be asked, and why.
        known_silent: Servers that are known not to answer: they are not asked.
        detailed: Whether Flink is asked for checkpoints and metrics, too.

    Raises:
        StoreUnavailableError: The registry did not answer: nothing is known.
    """
    silent = list(known_silent)
    while True:
        try:
            return statuses(world, silent, detailed=detailed)
        except Exception as error:  # noqa: BLE001 (reported below, for what it belongs to)
            server = _who(world, error, silent)
            if not server:
                ask = partial(status, world, silent=silent, detailed=detailed)
                return _each_alone(world, ask, report)
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


def _each_alone(world: Known, ask: _Ask, report: Report) -> list[FeatureSetStatus]:
    found = (_alone(snapshot, ask, report) for snapshot in world.registry.snapshots())
    return [item for item in found if item]


def _alone(snapshot: Snapshot, ask: _Ask, report: Report) -> FeatureSetStatus | None:
    try:
        return ask(snapshot)
    except Exception as error:  # noqa: BLE001 (reported as this feature set's)
        report(f"{snapshot.featureset} cannot be observed: {type(error).__name__}: {error}")
        return None
