"""Every error of the platform, as one tree in two families.

FeaturePlatformError
├── CallerError                 the caller or a definition is wrong: fix it, retrying does not help
│   ├── DefinitionError         one or more mistakes in YAML or SQL, each with its position
│   ├── SettingsError           feature_platform.toml or the environment
│   ├── MissingExtraError       an optional package is not installed
│   ├── UnknownFeatureError     a feature set or feature that is not deployed
│   ├── OutOfReachError         an instant that the kept tiles no longer answer
│   ├── LimitExceededError      a named limit and the value that passed it
│   ├── MessageTooLargeError    a request to the service of more bytes than it takes
│   ├── UnauthenticatedError    a request to the service without its token
│   └── PlanRefusedError        a change that may not be applied as asked
└── WorldError                  the world failed: retry, degrade, or repair the server
    ├── ServerError             an embedded or remote server did not start or answer
    ├── StoreUnavailableError   Cassandra or ScyllaDB did not answer
    │   ├── StoreDownError      none of its nodes did, or not in time
    │   └── NoEntityError       it answered for no entity of a request to the service
    ├── BrokerUnavailableError  Kafka did not answer
    ├── JobFailedError          a Flink job failed or did not reach its checkpoint
    │   └── RestoreFailedError  it cannot restore its checkpoint: the store is left
    ├── CheckpointGoneError     a checkpoint is not there any more
    ├── SparkFailedError        a Spark process failed or was killed
    ├── GitError                a repository, or a branch in it, cannot be read
    │   └── NothingPushedError  a repository has no branch yet
    ├── EventLogError           an event log is damaged, or does not fit its topic
    │   ├── OffsetsGoneError    neither the log nor Kafka has some offsets
    │   └── LogConflictError    someone else archived the same source meanwhile
    ├── ServiceUnavailableError no replica of the service answers, or none is free
    │   ├── OverloadedError     as many requests are under way as a limit allows
    │   └── DeadlineExceededError  there was no answer before the deadline
    ├── OlapError               ClickHouse, with logged commands, does not answer or refuses
    ├── LeaseHeldError          someone else deploys this feature set right now
    ├── CorruptRowError         stored bytes that cannot be decoded
    └── CorruptRecordError      a record of the feature log that cannot be decoded

A message says what happened, to which thing, with which value, and what to do next.
All survive pickling: they cross process borders.
"""

from collections.abc import Mapping
from dataclasses import dataclass


class FeaturePlatformError(Exception):
    """Base of all errors that the platform raises on purpose."""


class CallerError(FeaturePlatformError):
    """The caller or a definition is wrong; the same call will fail again."""


class WorldError(FeaturePlatformError):
    """Something outside failed; the same call may succeed later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a definition, with its position (line and column count from 1)."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Write it as compilers do, so that editors can jump to it."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class DefinitionError(CallerError):
    """Mistakes in sources or feature sets; all of them at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems; the text lists them one a line."""
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """List the problems, one a line."""
        return "\n".join(str(problem) for problem in self.problems)


class SettingsError(CallerError):
    """A setting is missing, unknown or out of range."""


class MissingExtraError(CallerError):
    """An optional package is not installed; the message has the command that installs it."""


class UnknownFeatureError(CallerError):
    """A feature set or feature that is not deployed."""


class OutOfReachError(CallerError):
    """An instant further back than the tiles are kept."""


class LimitExceededError(CallerError):
    """A named limit was passed; the message names the limit and the value."""


class MessageTooLargeError(CallerError):
    """A request to the service has more bytes than it takes."""


class UnauthenticatedError(CallerError):
    """A request to the service has no token, or another than the service's."""


class PlanRefusedError(CallerError):
    """A change that may not be applied as asked; the message says what to do instead."""


class ServerError(WorldError):
    """An embedded or remote server did not start or does not answer."""


class StoreUnavailableError(WorldError):
    """Cassandra or ScyllaDB did not answer in time."""


class StoreDownError(StoreUnavailableError):
    """No node of the store answered in time: other requests will hardly be answered now."""


class NoEntityError(StoreUnavailableError):
    """The store answered for no entity of a request to the service."""

    def __init__(self, text: str, entities: Mapping[str, str] | None = None, rows: int = 0) -> None:
        """Keep the reasons, by entity, and how many rows have no answer."""
        super().__init__(text)
        self.entities = dict(entities or {})
        self.rows = rows

    def __reduce__(self) -> tuple[type["NoEntityError"], tuple[str, dict[str, str], int]]:
        """Cross process borders whole."""
        return type(self), (str(self), self.entities, self.rows)


class BrokerUnavailableError(WorldError):
    """Kafka did not answer in time."""


class JobFailedError(WorldError):
    """A Flink job failed, or did not reach its checkpoint in time."""


class RestoreFailedError(JobFailedError):
    """A Flink job's checkpoint or savepoint is missing, corrupt, or abandoned."""


class CheckpointGoneError(WorldError):
    """A checkpoint is not there any more, or a file of it."""


class SparkFailedError(WorldError):
    """A Spark process failed, or was killed."""


class GitError(WorldError):
    """A repository, or a branch in it, cannot be read."""


class NothingPushedError(GitError):
    """A repository has no branch yet, so nothing of it can be read."""


class EventLogError(WorldError):
    """An event log is damaged, or does not fit its topic."""


class OffsetsGoneError(EventLogError):
    """Neither the event log nor Kafka has some offsets; the message names them."""


class LogConflictError(EventLogError):
    """Someone else archived the same source meanwhile."""


class ServiceUnavailableError(WorldError):
    """No replica of the service answers, or none is free."""


class OverloadedError(ServiceUnavailableError):
    """As many requests are under way as a limit allows."""


class DeadlineExceededError(ServiceUnavailableError):
    """There was no answer before the deadline of the request."""


class OlapError(WorldError):
    """ClickHouse, where logged commands are, does not answer or refuses."""


class LeaseHeldError(WorldError):
    """Someone else deploys this feature set right now."""


class CorruptRowError(WorldError):
    """Stored bytes that cannot be decoded as a row."""


class CorruptRecordError(WorldError):
    """Bytes in a topic of the feature log that cannot be decoded as a record of it."""
