"""A snapshot: what is deployed now, as the registry keeps it and planning and serving read it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from feature_platform.definition.model import Aggregate
from feature_platform.definition.served import served_names
from feature_platform.plan.job import JobDefinition
from feature_platform.plan.job_source import JobSource
from feature_platform.tiles.layout import EVENTS_COLUMN, Carrier, Layout, LayoutColumn
from feature_platform.tiles.retention import Retention

State = Literal["deploying", "running", "stopped", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFeature:
    """A feature as readers need it; see `definition.model.Feature`."""

    name: str
    aggregate: Aggregate
    columns: tuple[str, ...]
    windows_ms: tuple[int, ...]
    lifetime: bool
    latest: bool
    carrier: Carrier
    value_type: str
    """Type of the aggregated expression as in YAML, such as BOOLEAN or DECIMAL(10,2)."""
    scale: int
    valid_from_ms: int
    """Since when it counts in its present meaning; 0: since the first event of the topic."""
    description: str = ""
    meaning: str = ""
    """Hash of what its value is computed from."""
    added_ms: dict[str, int] = field(default_factory=dict)
    """Served names that are younger than the feature, and since when they count."""

    @property
    def served(self) -> dict[str, int]:
        """The names rankers ask for, each with its window; see `definition.served`."""
        return served_names(self.name, self.windows_ms, lifetime=self.lifetime, latest=self.latest)

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names alone."""
        return tuple(self.served)

    def from_ms(self, served_name: str) -> int:
        """Return since when a served name counts; 0: since the first event of the topic."""
        return max(self.valid_from_ms, self.added_ms.get(served_name, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a job ended, and what can be restored."""

    path: str
    """Of the savepoint, or of the checkpoint that it left."""
    attempt: int
    """With `checkpoint_id`: the epoch that the state is of; 0 if that is not known any more."""
    checkpoint_id: int
    taken_ms: int
    clean: bool
    """Whether it stopped with this savepoint; else it may have written more after it."""
    positions: dict[str, int] = field(default_factory=dict)
    """Next offset to read for each "topic/partition"; empty if its cut was not recorded."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores; it calls the checkpoint id `label`."""
        stored = asdict(self)
        return stored | {"label": stored.pop("checkpoint_id")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Stop":
        """Read what `to_json` wrote."""
        values = dict(data)
        return cls(checkpoint_id=values.pop("label"), **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A start that failed while a dead job was being brought back."""

    start: str
    at_ms: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSource:
    """A source by which a generation read events before."""

    source: JobSource
    until: Mapping[str, int]
    """The offsets from which on another one did, by "topic/partition"."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the registry and in requests to recompute."""
        return {"source": self.source.to_json(), "until": dict(self.until)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EarlierSource":
        """Read what `to_json` wrote."""
        return cls(source=JobSource.from_json(data["source"]), until=data["until"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One feature set as deployed."""

    featureset: str
    generation: int
    table: str
    entity: str
    source: str
    topic: str
    layout: Layout
    features: tuple[DeployedFeature, ...]
    flink_sql: str
    data_fingerprint: str
    metadata_fingerprint: str
    deployment: str
    """Id of the deployment that owns the generation; claims of attempts name it."""
    job_id: str
    savepoint: str
    """Path of the savepoint to restart from; empty while running."""
    state: State
    parallelism: int
    deployed_ms: int
    definition: dict[str, Any]
    """The YAML as data, source included: what an upgrade is explained by."""
    job: JobDefinition
    """What the job is to compute: an upgrade is compared with it, a restart repeats it."""
    stop: Stop | None = None
    """The last stop, also while a job runs that restarted from it."""
    unswept: bool = False
    """Rows may still hold what an undone version wrote after `stop`: a sweep is due."""
    previous: "Snapshot | None" = None
    """What was deployed before the last upgrade: what `fp rollback` goes back to."""
    tried: tuple[Tried, ...] = ()
    """What failed since the job died; empty once one runs again."""
    topic_id: str = ""
    """Which topic of that name its rows count; empty: begun before ids were kept."""
    older: "Snapshot | None" = None
    """What this generation has replaced; kept over upgrades."""
    retention: Retention | None = None
    """How long this generation's tiles were kept when; None: deployed before that was recorded."""
    column_since: dict[str, dict[str, int]] = field(default_factory=dict)
    """By column id and level: since when its tiles hold it; what is left out: always."""
    rows_meaning: str = ""
    """Hash of which events the query counts; empty: deployed before that was recorded."""
    earlier_sources: tuple[EarlierSource, ...] = ()
    """Sources by which this generation read events before; the oldest first."""

    @property
    def max_future_ms(self) -> int:
        """How much later than the broker's time an event may be."""
        return self.job.source.max_future_ms

    @property
    def kept(self) -> Retention:
        """How long tiles are kept and were; of what nobody recorded, nothing is known."""
        if self.retention:
            return self.retention
        before_ms = self.deployed_ms + self.max_future_ms if self.deployed_ms else 0
        return Retention.begun(self.layout.retention_ms, unknown_before_ms=before_ms)

    @property
    def entity_type(self) -> str:
        """Type of the entity's column, such as BIGINT; empty if the job's source lacks it."""
        column = self.job.source.column(self.entity)
        return column.type if column else ""

    def alone(self) -> "Snapshot":
        """Return it without what was deployed before it, as a later one keeps it."""
        return replace(self, previous=None, older=None)

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {
            "layout": self.layout.to_json(),
            "features": [asdict(feature) for feature in self.features],
            "job": self.job.to_json(),
            "stop": self.stop.to_json() if self.stop else None,
            "previous": self.previous.to_json() if self.previous else {},
            "tried": [asdict(each) for each in self.tried],
            "older": self.older.to_json() if self.older else {},
            "retention": self.retention.to_json() if self.retention else None,
            "earlier_sources": [each.to_json() for each in self.earlier_sources],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Snapshot":
        """Read what `to_json` wrote, also after a trip through JSON text."""
        features = tuple(
            DeployedFeature(
                **{
                    **feature,
                    "columns": tuple(feature["columns"]),
                    "windows_ms": tuple(feature["windows_ms"]),
                }
            )
            for feature in data["features"]
        )
        stop, retention = data.get("stop"), data.get("retention")
        values = {
            **data,
            "layout": Layout.from_json(data["layout"]),
            "features": features,
            "job": JobDefinition.from_json(data["job"]),
            "stop": Stop.from_json(stop) if stop else None,
            "previous": cls._before(data, "previous"),
            "older": cls._before(data, "older"),
            "tried": tuple(Tried(**item) for item in data.get("tried", ())),
            "retention": Retention.from_json(retention) if retention else None,
            "earlier_sources": tuple(
                EarlierSource.from_json(each) for each in data.get("earlier_sources", ())
            ),
        }
        return cls(**values)

    @classmethod
    def _before(cls, data: Mapping[str, Any], name: str) -> "Snapshot | None":
        found = data.get(name)
        return cls.from_json(found) if found else None


def table_name(featureset: str, generation: int) -> str:
    """Return the name of a generation's table."""
    return f"tiles_{featureset}_g{generation}"


def since_of(snapshot: Snapshot, column: LayoutColumn, level: int) -> int:
    """Return since when tiles of a level, or lifetime, hold a column in its present meaning.

    Returns:
        0: since the first event of the topic.
    """
    features = [feature for feature in snapshot.features if column.name in feature.columns]
    meaning_ms = max((feature.valid_from_ms for feature in features), default=0)
    if snapshot.retention is not None:
        stored = snapshot.column_since.get(str(column.id), {})
        return max(meaning_ms, stored.get(str(level), 0))
    concerned = snapshot.features if column.name == EVENTS_COLUMN else features
    added = [
        ms for feature in concerned for ms in (feature.valid_from_ms, *feature.added_ms.values())
    ]
    return max(meaning_ms, *added, 0)


def all_since(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return `column_since` of a snapshot, also of one that was deployed before it was recorded."""
    lifetime = snapshot.layout.grid.lifetime_level
    found = {
        str(column.id): {
            str(level): ms
            for level in (*column.levels, lifetime)
            if column.stands_in(level, lifetime) and (ms := since_of(snapshot, column, level))
        }
        for column in snapshot.layout.columns
    }
    return {column: levels for column, levels in found.items() if levels}
