"""The stages of plans: one small value for each, holding what it needs and no more.

`explain` prints a list of them and `deploy.execute` walks the same list.
"""

from dataclasses import dataclass
from typing import Literal

from feature_platform.plan.ids import ColumnKey

Start = Literal["earliest", "savepoint", "checkpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease:
    """Keep everybody else from changing the feature set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateIds:
    """Give every stored column its id; `ids` are those that it is going to be."""

    columns: tuple[ColumnKey, ...]
    ids: dict[str, int]
    deployed: tuple[int, ...] = ()
    """Ids of what is deployed, which go on."""
    reset: tuple[str, ...] = ()
    """Columns that do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopics:
    """Create the topics that are missing."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """Create the empty table of a generation."""

    generation: int
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWithSavepoint:
    """Stop the running job; its savepoint holds everything it has counted."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSavepoint:
    """Make sure that the savepoint holds the state of intake and kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGeneration:
    """Let only the new deployment write; every earlier job is fenced off."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """Start the new job."""

    start: Start


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitCheckpoint:
    """Wait for the new job's first checkpoint; bring the old one back if it does not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeployed:
    """Note in the registry what is deployed now: readers follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMetadata:
    """Note changed windows, descriptions or owners in the registry; the job goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStopped:
    """Note that the job was stopped on purpose, so that nobody starts it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeleted:
    """Note that readers are to answer "unknown feature"; the table is kept for the grace time."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLease:
    """Let others change the feature set again."""


Stage = (
    TakeLease
    | AllocateIds
    | CreateTopics
    | CreateTable
    | StopWithSavepoint
    | CheckSavepoint
    | OwnGeneration
    | SubmitJob
    | AwaitCheckpoint
    | RecordDeployed
    | RecordMetadata
    | RecordStopped
    | RecordDeleted
    | ReleaseLease
)
