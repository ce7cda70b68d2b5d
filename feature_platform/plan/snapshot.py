"""A snapshot: what is deployed now, as the registry keeps it and planning and serving read it."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from feature_platform.definition.model import Aggregate
from feature_platform.tiles.layout import Carrier, Layout

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

    def from_ms(self, served_name: str) -> int:
        """Return since when a served name counts; 0: since the first event of the topic."""
        return max(self.valid_from_ms, self.added_ms.get(served_name, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a job ended, and what can be gone on from."""

    path: str
    """Of the savepoint, or of the checkpoint that it left."""
    attempt: int
    """With `label`: the epoch that the state is of; 0 if nobody knows any more."""
    label: int
    taken_ms: int
    clean: bool
    """Whether it stopped with this savepoint; else it may have written more after it."""
    positions: dict[str, int] = field(default_factory=dict)
    """Next offset to read for each "topic/partition"; empty if its cut was not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A start that failed while a dead job was being brought back."""

    start: str
    at_ms: int
    error: str


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
    """Path of the savepoint to go on from; empty while running."""
    state: State
    parallelism: int
    deployed_ms: int
    definition: dict[str, Any]
    """The YAML as data, source included: what an upgrade is explained by."""
    job: dict[str, Any] = field(default_factory=dict)
    """What the job was told to compute: an upgrade is compared with it, a restart repeats it."""
    stop: Stop | None = None
    """The last stop, also while a job runs that went on from it."""
    unswept: bool = False
    """Rows may still hold what an undone version wrote after `stop`: a sweep is due."""
    previous: dict[str, Any] = field(default_factory=dict)
    """What was deployed before the last upgrade, as JSON: what `fp rollback` goes back to."""
    tried: tuple[Tried, ...] = ()
    """What failed since the job died; empty once one runs again."""
    topic_id: str = ""
    """Which topic of that name its rows count; empty: begun before ids were kept."""
    older: dict[str, Any] = field(default_factory=dict)
    """What the generation before was, as JSON; kept over upgrades, empty if there is none."""

    @property
    def entity_type(self) -> str:
        """Type of the entity's column, such as BIGINT; empty if the job's source lacks it."""
        columns = self.job.get("source", {}).get("columns", ())
        return next((each["type"] for each in columns if each["name"] == self.entity), "")

    @property
    def replaced(self) -> "Snapshot | None":
        """What this generation has replaced."""
        return Snapshot.from_json(self.older) if self.older else None

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores."""
        return asdict(self) | {
            "layout": self.layout.to_json(),
            "features": [asdict(feature) for feature in self.features],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Snapshot":
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
        stop = data.get("stop")
        values = {
            **data,
            "layout": Layout.from_json(data["layout"]),
            "features": features,
            "stop": Stop(**stop) if stop else None,
            "tried": tuple(Tried(**item) for item in data.get("tried", ())),
        }
        return cls(**values)


def table_name(featureset: str, generation: int) -> str:
    """Return the name of a generation's table."""
    return f"tiles_{featureset}_g{generation}"
