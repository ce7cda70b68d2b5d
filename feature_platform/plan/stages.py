"""The stages of plans: one small value for each, holding what it needs and no more.

`explain` prints the words of a list of them, and `deploy.execute` walks the same list. A new stage
is a class here, its place in `planner` or `recovery`, and a line in `deploy.execution.HANDLERS`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from feature_platform.plan.ids import ColumnKey
from feature_platform.tiles.layout import EVENTS_COLUMN
from feature_platform.words import counted, noun

Start = Literal["earliest", "savepoint", "checkpoint", "store"]
"""What a job restarts from; `store`: a cut, with the rows and undo rows that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(ABC):
    """One step of a plan."""

    @property
    def words(self) -> str:
        """What it does, as a person would say it."""
        return self._in_words()

    @abstractmethod
    def _in_words(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease(Stage):
    """Keep everybody else from changing the feature set."""

    def _in_words(self) -> str:
        return "take the lease, so that nobody else can change it meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateIds(Stage):
    """Give every stored column its id; `ids` are those that it is going to be."""

    columns: tuple[ColumnKey, ...]
    ids: dict[str, int]
    deployed: tuple[int, ...] = ()
    """Ids of what is deployed, which continue."""
    reset: tuple[str, ...] = ()
    """Columns that do not."""

    def _in_words(self) -> str:
        named = (f"{name}={number}" for name, number in self.ids.items() if name != EVENTS_COLUMN)
        return f"allocate feature ids: {', '.join(named)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildGraph(Stage):
    """Let Flink build the new job's graph before anything that runs is touched.

    What it refuses is refused here, and the submission takes less of the time without new rows.
    """

    def _in_words(self) -> str:
        return "compile the new job graph in Flink; stop here if Flink rejects the query"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopics(Stage):
    """Create the topics that are missing."""

    topics: tuple[str, ...]

    def _in_words(self) -> str:
        return f"create topics if missing: {', '.join(self.topics)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Stage):
    """Create the empty table of a generation."""

    generation: int
    table: str

    def _in_words(self) -> str:
        return f"create table {self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill(Stage):
    """Write all rows of a generation from the event log, and from Kafka what is not in it yet.

    Up to the topic's ends when it begins; interrupted, it continues with the same ends.
    """

    generation: int
    table: str
    accept_unreadable: bool = False
    """Leave out what the source's columns of today cannot read, though it was read once."""

    def _in_words(self) -> str:
        text = f"fill {self.table} from the event log and Kafka, up to now, with Spark"
        rest = "; skip events that can no longer be read"
        return f"{text}{rest}" if self.accept_unreadable else text


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepGeneration(Stage):
    """Take back that the table of a generation goes: it is going to be written again."""

    generation: int

    def _in_words(self) -> str:
        return f"cancel the scheduled drop of generation {self.generation}'s table"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitCaughtUp(Stage):
    """Wait until the new job has counted all that came before it began; readers stay meanwhile."""

    def _in_words(self) -> str:
        return "wait until the new job has caught up; readers switch after that"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareGenerations(Stage):
    """Compare with the generation before, as of the backfill, what means the same in both."""

    generation: int
    """The one before."""
    accept_differences: bool = False
    """Say what differs and continue: a person knows that the old rows are wrong."""

    def _in_words(self) -> str:
        then = "report differences" if self.accept_differences else "switch only if they are equal"
        return f"compare shared columns with generation {self.generation}; {then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitRecovered(Stage):
    """Wait until the running job has counted again what an abandoned attempt may have counted.

    What a new version never touches would keep the abandoned attempt's counts permanently.
    """

    def _in_words(self) -> str:
        return "wait until everything counted before the last failure is counted again"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitGrace(Stage):
    """Wait until no task of a job that ended uncleanly can be writing any more."""

    def _in_words(self) -> str:
        return "wait until no task of a failed job can still be writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWithSavepoint(Stage):
    """Stop the running job; its savepoint holds everything it has counted."""

    job_id: str

    def _in_words(self) -> str:
        return f"stop job {self.job_id} with a savepoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopJob(Stage):
    """Cancel the job, whatever state it is in: another takes its place."""

    job_id: str

    def _in_words(self) -> str:
        return f"cancel job {self.job_id or '(none)'} if it exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSavepoint(Stage):
    """Make sure that the savepoint holds the state of intake and kernel."""

    def _in_words(self) -> str:
        return "check that the savepoint has the state of intake and kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGeneration(Stage):
    """Let only the new deployment write; every earlier job is fenced off."""

    generation: int

    def _in_words(self) -> str:
        return f"make the new deployment the only writer of generation {self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSweep(Stage):
    """Let everything written after the savepoint be dead: the way back is the only one now."""

    def _in_words(self) -> str:
        return "fence off everything written after the savepoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(Stage):
    """Write back every row that an abandoned attempt has touched."""

    table: str
    accept_age: bool = False
    """A person knows that some undo rows may be gone, so some rows may stay wrong."""

    def _in_words(self) -> str:
        text = f"write back rows of {self.table} that changed after the savepoint"
        rest = ", where undo rows still exist; other rows may stay wrong"
        return f"{text}{rest}" if self.accept_age else text


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSwept(Stage):
    """Note that no row holds anything of the undone version any more."""

    def _in_words(self) -> str:
        return "record that all rows are written back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Stage):
    """Write rows of some entities as the events say, where they are not so."""

    table: str
    entities: tuple[str, ...]

    def _in_words(self) -> str:
        many = counted(len(self.entities), "entity")
        return f"recompute {many} with Spark and correct the rows in {self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitJob(Stage):
    """Start the new job."""

    start: Start
    accept_age: bool = False
    """Continue although rows may be wrong that can no longer be put right."""

    def _in_words(self) -> str:
        asked = ", although some rows may be wrong" if self.accept_age else ""
        match self.start:
            case "earliest":
                return "submit the job to read its topic from the beginning"
            case "store":
                return f"submit the job with empty state, from the store's last cut{asked}"
            case "savepoint" | "checkpoint":
                return f"submit the job from the {self.start}{asked}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitCheckpoint(Stage):
    """Wait for the new job's first checkpoint; bring the old one back if it does not come."""

    beside: bool = False
    """The old job keeps running meanwhile, so it need not be brought back."""

    def _in_words(self) -> str:
        failed = "the old one keeps running" if self.beside else "restart the old one"
        return f"wait for the first checkpoint; if the new job fails, {failed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeployed(Stage):
    """Note in the registry what is deployed now: readers follow."""

    def _in_words(self) -> str:
        return "record the deployed version and switch readers to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMetadata(Stage):
    """Note changed windows, descriptions or owners in the registry; the job keeps running."""

    def _in_words(self) -> str:
        return "record windows, descriptions and owners for readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStopped(Stage):
    """Note that the job was stopped on purpose, so that nobody starts it again."""

    def _in_words(self) -> str:
        return "record that it was stopped deliberately"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeleted(Stage):
    """Note that readers are to answer "unknown feature"; the table is kept for the grace time."""

    generation: int

    def _in_words(self) -> str:
        dropped = f"drop generation {self.generation}'s table after the grace time"
        return f"record the deletion; {dropped}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireGeneration(Stage):
    """Stop the job of the generation that was replaced; its table is kept for the grace time."""

    generation: int
    job_id: str

    def _in_words(self) -> str:
        dropped = f"drop generation {self.generation}'s table after the grace time"
        return f"stop job {self.job_id} with a savepoint; {dropped}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAbandoned(Stage):
    """Remove generations that a broken-off change has begun."""

    generations: tuple[int, ...]

    def _in_words(self) -> str:
        what = noun(len(self.generations), "generation")
        numbers = ", ".join(map(str, self.generations))
        return f"remove {what} {numbers}, left over from an interrupted change"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLease(Stage):
    """Let others change the feature set again."""

    def _in_words(self) -> str:
        return "release the lease"
