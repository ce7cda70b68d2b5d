"""Checked definitions as frozen values: what `loading` makes and everything after it reads."""

from dataclasses import dataclass, field
from typing import Literal

from feature_platform.definition.examples import DefinitionTest
from feature_platform.definition.limits import StatisticsRules
from feature_platform.definition.operands import EventRows
from feature_platform.definition.served import served_names, served_type
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Carrier, Kind

TypeName = Literal["BIGINT", "INT", "DOUBLE", "DECIMAL", "STRING", "BOOLEAN", "TIMESTAMP"]
Aggregate = Literal["count", "sum", "avg", "min", "max", "first", "last", "last_n"]
OnChange = Literal["forward", "rebuild"]
TimeUnit = Literal["s", "ms", "us", "ns"]
TableFormat = Literal["parquet", "csv", "delta"]

MAX_PAST_MS = 7_300 * 86_400_000
"""How old an event may be when the source does not say: longer than any window, and no time since
1970 in seconds or milliseconds is taken for one of the other."""


LABELS_WITHIN_MS = (1_000, 3_650 * 86_400_000)
"""How long after a row events may count for its labels, at least and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """The type of a source column. `precision` and `scale` are for DECIMAL, 0 elsewhere."""

    name: TypeName
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        """Write it as in YAML."""
        return f"DECIMAL({self.precision},{self.scale})" if self.name == "DECIMAL" else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValue:
    """One label: an expression over aggregates of the events that followed a row."""

    name: str
    type: ColumnType
    sql: str
    """For Spark, over the columns `__a0`, `__a1`, ... of `Labels.aggregates`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The `labels:` of a source: how its events say what became of a row that was served."""

    keys: tuple[tuple[str, str], ...]
    """Kinds of entity, each with the source's column that has its keys."""
    request: str
    """The source's column with the id of the answer; empty if events do not have it."""
    within_ms: int
    """How long after a row its events count; 0: whoever asks says so."""
    late_ms: int
    """How much longer to wait for events that arrive late."""
    sql: str
    """As written."""
    where: str
    """For Spark: which events count; empty: all."""
    aggregates: tuple[str, ...]
    """For Spark, over a row's events."""
    values: tuple[LabelValue, ...]
    reads: tuple[tuple[str, ColumnType], ...]
    """The columns of the source that are read, event time among them, by name."""
    fingerprint: str
    """Changes when labels would be others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A table that has a source's events from before the topic took over."""

    files: tuple[str, ...]
    """Files, folders or patterns; a path without an address is relative to the project."""
    format: TableFormat
    until_ms: int
    """The seam: the table has every event before it, and from it on the topic's count."""
    columns: tuple[tuple[str, str], ...]
    """By column of the source, the table's, in order; what is left out, the table does not have."""
    version: int = 1
    """Raised by a person when the files have other contents; of Delta, the table's version."""
    delimiter: str = ","
    """With `null_value` of CSV."""
    null_value: str = ""
    """Beside nothing at all, what stands for NULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A topic and its columns."""

    name: str
    topic: str
    format: Literal["json"]
    event_time: str
    max_future_ms: int
    columns: tuple[tuple[str, ColumnType], ...]
    """Name and type in the order of the file."""
    event_time_unit: TimeUnit = "ms"
    """What a number in the event time column counts since 1970."""
    max_past_ms: int = MAX_PAST_MS
    history: History | None = None
    description: str = ""
    file: str = ""
    labels: Labels | None = None
    """What its events say of rows that were served before; None: it is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A partial that the SQL computes and the kernel keeps; AVG(x) makes two.

    What may leave int64 has a third, `#high`; what may leave even a sum's range another, `#beyond`.
    """

    name: str
    kind: Kind
    carrier: Carrier
    value_type: ColumnType
    """Type of the aggregated expression; decides how a served value is written."""
    scale: int
    """Digits after the point of a fixed-point sum, or of a DECIMAL; 0 elsewhere."""
    n: int
    levels: tuple[int, ...]
    lifetime: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One aggregate of the query and the windows it is asked for."""

    name: str
    aggregate: Aggregate
    columns: tuple[str, ...]
    """Stored columns it is finished from: one, or sum and count for AVG; then what completes it."""
    windows_ms: tuple[int, ...]
    lifetime: bool
    latest: bool
    """Served under its bare name: a property or last-N."""
    description: str = ""
    meaning: str = ""
    """Hash of everything its value is computed from: aggregate, filter, row-level SQL, scale."""

    @property
    def served(self) -> dict[str, int]:
        """The names rankers ask for, each with its window; see `definition.served`."""
        return served_names(self.name, self.windows_ms, lifetime=self.lifetime, latest=self.latest)

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names alone: `views_30m`, `views_lifetime`, `language`."""
        return tuple(self.served)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSetSettings:
    """The `settings:` of a feature set, with the platform's defaults."""

    state_ttl_ms: int = 7_200_000
    sql_state_ttl_ms: int = 600_000
    checkpoint_interval_ms: int = 30_000
    flush_interval_ms: int = 1_000
    parallelism: int = 1
    keep_ms: int = 3_600_000
    """How much longer than windows need a tile is kept, for questions about past instants."""
    on_change: OnChange = "forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """A feature set whose YAML and SQL were checked."""

    name: str
    description: str
    owner: str
    entity: str
    source: Source
    reads: tuple[tuple[str, ColumnType], ...]
    """The columns of the source that the query reads, entity and event time among them, by name."""
    sql: str
    """As written."""
    flink_sql: str
    spark_sql: str
    columns: tuple[StoredColumn, ...]
    """What the SQL returns after `__entity` and `__tile`, in order; `_events` first."""
    features: tuple[Feature, ...]
    sum_scales: tuple[tuple[str, int], ...]
    """Columns of the source that are summed as they are, with the most digits that a sum keeps."""
    grid: Grid
    settings: FeatureSetSettings
    sql_fingerprint: str
    """Changes when the SQL's own state would mean something else; windows leave it alone."""
    data_fingerprint: str
    """Changes when stored values, state or the running job change; reformatting leaves it alone."""
    metadata_fingerprint: str
    """Changes when descriptions, owner or the windows asked for change."""
    file: str = ""
    rows_meaning: str = ""
    """Hash of which events the query counts: its FROM and WHERE."""
    event_rows: EventRows = field(default_factory=EventRows)
    """The query over single events, for statistics of them."""
    statistics: StatisticsRules = field(default_factory=StatisticsRules)
    """How the events of a day are judged; nothing is deployed for it."""
    tests: tuple[DefinitionTest, ...] = ()
    """What its author expects of some events; nothing is deployed of it."""

    @property
    def served_types(self) -> dict[str, str]:
        """What is served under each name, in the words of a source's columns."""
        stored = {column.name: str(column.value_type) for column in self.columns}
        return {
            name: served_type(feature.aggregate, stored[feature.columns[0]])
            for feature in self.features
            for name in feature.served_names
        }
