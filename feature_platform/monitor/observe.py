"""Asks the servers how every deployed feature set is doing, its dead letters included."""

from feature_platform.engines.reads import Reads
from feature_platform.monitor.health import Health, healths_of
from feature_platform.monitor.look import look
from feature_platform.report import Report


def observe(reads: Reads, report: Report) -> list[Health]:
    """Return how every deployed feature set is doing, by name, as far as servers answer.

    Dead letters are counted by the jobs: no topic of theirs is read, whatever lies in it.

    Args:
        reads: What is asked.
        report: Called with what could not be asked.

    Raises:
        WorldError: The registry does not answer.
    """
    return healths_of(look(reads, report), reads.settings.flink.store_starts_max)
