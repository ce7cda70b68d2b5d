"""Checks a feature set and notes what was found, for whoever asks how everything is."""

from feature_platform.checks.result import CheckReport
from feature_platform.checks.run import CheckRequest, check
from feature_platform.engines.reads import Reads
from feature_platform.local.last_done import record
from feature_platform.report import Report, silent


def check_and_note(
    reads: Reads, name: str, ask: CheckRequest, report: Report = silent
) -> CheckReport:
    """Check as `checks.run.check` does; `fp status` says when that was, and what was red.

    A green check of some days says nothing about the others: it is not noted.

    Raises:
        OSError: The project's folder cannot be written.
    """
    found = check(reads, name, ask, report)
    if ask.span is None or found.is_red:
        red = [result.check for result in found.results if result.status == "red"]
        record(reads.settings, "checked", name, {"red": red}, reads.clock)
    return found
