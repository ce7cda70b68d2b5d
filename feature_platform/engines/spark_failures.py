"""How the failure of a child that runs Spark is reported: as one of the platform's errors."""

from dataclasses import dataclass
from pathlib import Path

from feature_platform import errors
from feature_platform.engines.spark_facts import Fact, Failed
from feature_platform.errors import FeaturePlatformError, SparkFailedError
from feature_platform.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Whose task a child does, and how its failure is reported."""

    name: str
    subject: str
    again: str
    """The command that continues where it ended."""


def translated(settings: Settings, of: Child, fact: Failed, log: Path) -> FeaturePlatformError:
    """Return the failure of a child as one of ours."""
    kind = getattr(errors, fact.kind, None)
    text = fact.message
    if kind is not None and issubclass(kind, FeaturePlatformError):
        made: FeaturePlatformError = kind(text)
        return made
    if "No space left" in text:
        msg = (
            f"{of.subject}: a disk is full ({text}): that of the event log "
            f"{settings.event_log_folder}, or that of Spark's spark.local.dir. Completed commits "
            f"are kept and there are no partial commits: free some space, then {of.again}"
        )
        return SparkFailedError(msg)
    msg = (
        f"{of.subject}: Spark failed: {text}. Completed commits are kept and there are no "
        f"partial commits: fix the cause, then {of.again}; its log is {log}"
    )
    return SparkFailedError(msg)


def odd(of: Child, fact: Fact) -> SparkFailedError:
    """Return that a child reported something that nobody asked for."""
    msg = f"{of.subject}: Spark reported something else than it was asked for: {fact}"
    return SparkFailedError(msg)
