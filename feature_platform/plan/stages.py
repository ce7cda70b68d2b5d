"""The stages of plans: one small value for each, holding what it needs and no more.

`explain` prints a list of them and `deploy.execute` walks the same list.
"""

from dataclasses import dataclass
from typing import Literal

from feature_platform.plan.ids import ColumnKey

Start = Literal["earliest", "savepoint", "checkpoint", "store"]
"""What a job goes on from; `store`: a cut, with the rows and undo rows that stand there."""


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
class BuildGraph:
    """Let Flink build the new job's graph before anything that runs is touched.

    What it refuses is refused here, and the submission takes less of the time without new rows.
    """


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
class Backfill:
    """Write all rows of a generation from the event log, and from Kafka what is not in it yet.

    Up to the topic's ends when it begins; interrupted, it goes on with the same ends.
    """

    generation: int
    table: str
    accept_unreadable: bool = False
    """Leave out what the source's columns of today cannot read, though it was read once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepGeneration:
    """Take back that the table of a generation goes: it is going to be written again."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitCaughtUp:
    """Wait until the new job has counted all that came before it began; readers stay meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckParity:
    """Compare with the generation before, as of the backfill, what means the same in both."""

    generation: int
    """The one before."""
    accept_differences: bool = False
    """Say what differs and go on: a person knows that the old rows are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitRecovered:
    """Wait until the running job has counted again what a dead attempt may have counted.

    What a new version never touches would keep the dead attempt's counts for ever.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitGrace:
    """Wait until no task of a job that ended uncleanly can be writing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWithSavepoint:
    """Stop the running job; its savepoint holds everything it has counted."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopJob:
    """Cancel the job, whatever state it is in: another takes its place."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSavepoint:
    """Make sure that the savepoint holds the state of intake and kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGeneration:
    """Let only the new deployment write; every earlier job is fenced off."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSweep:
    """Let everything written after the savepoint be dead: the way back is the only one now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Write back every row that a dead attempt has touched."""

    table: str
    accept_age: bool = False
    """A person knows that some undo rows may be gone, so some rows may stay wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSwept:
    """Note that no row holds anything of the undone version any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Write rows of some entities as the events say, where they are not so."""

    table: str
    entities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob:
    """Start the new job."""

    start: Start
    accept_age: bool = False
    """Go on although rows may be wrong that can no longer be put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitCheckpoint:
    """Wait for the new job's first checkpoint; bring the old one back if it does not come."""

    beside: bool = False
    """The old job goes on meanwhile, so it need not be brought back."""


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
class RetireGeneration:
    """Stop the job of the generation that was replaced; its table is kept for the grace time."""

    generation: int
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAbandoned:
    """Remove generations that a broken-off change has begun."""

    generations: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLease:
    """Let others change the feature set again."""


Stage = (
    TakeLease
    | AllocateIds
    | BuildGraph
    | CreateTopics
    | CreateTable
    | Backfill
    | KeepGeneration
    | AwaitCaughtUp
    | CheckParity
    | AwaitRecovered
    | AwaitGrace
    | StopWithSavepoint
    | StopJob
    | CheckSavepoint
    | OwnGeneration
    | ClaimSweep
    | Sweep
    | RecordSwept
    | Repair
    | SubmitJob
    | AwaitCheckpoint
    | RecordDeployed
    | RecordMetadata
    | RecordStopped
    | RecordDeleted
    | RetireGeneration
    | DropAbandoned
    | ReleaseLease
)
