"""What a training set says of itself: from which definitions and events it was made, and how."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import CallerError

VERSION = 1
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedFeatureSet:
    """A feature set of the list, as it was used."""

    featureset: str
    generation: int
    data_fingerprint: str
    entity: str
    source: str
    offsets: Mapping[str, int]
    """First offset that did not count, by "topic/partition"."""
    begins_ms: int
    """The first instant that its event log can answer."""
    ends_ms: int
    """The last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureColumn:
    """A feature of the list, and the column with its values."""

    column: str
    feature: str
    type: str
    """What is served, such as BIGINT or `list of STRING`."""
    window_ms: int
    """0: of events of any age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedLabels:
    """The labels that were joined, and from which events."""

    source: str
    fingerprint: str
    columns: Sequence[str]
    keys: Mapping[str, str]
    """By kind of entity, the source's column."""
    request: str
    """The rows' column with the id of the answer; empty: it was not compared."""
    within_ms: int
    """How long after a row events counted."""
    late_ms: int
    """How much longer events were waited for."""
    offsets: Mapping[str, int]
    """First offset that did not count, by "topic/partition"."""
    begins_ms: int
    """Before it the source's log is incomplete, or there was none."""
    ends_ms: int
    """When the broker took the last event that counted."""
    status: Mapping[str, int]
    """How many rows have which `_label_status`."""
    open_left_out: bool
    """Whether rows whose status is `open` were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedLog:
    """The feature log from which the rows are."""

    topic: str
    offsets: Mapping[str, int]
    """First offset that was not archived, by "topic/partition"."""
    start_ms: int
    """Rows that were served from then on."""
    end_ms: int
    """Rows that were served before."""
    versions: Mapping[str, int]
    """How many rows were served by which version of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that is worth knowing of a training set beside its rows."""

    list: str
    list_version: int
    as_of: AsOf | Literal["served"]
    """`served`: the rows and their features are those of the feature log."""
    serving_lag_ms: int
    edge_ms: int
    instant: str
    """The spine's column with the instants."""
    keys: Mapping[str, str]
    """By kind of entity, the spine's column with its keys."""
    time_zone: str
    """Of timestamps without one; empty if all had one."""
    features: Sequence[FeatureColumn]
    featuresets: Sequence[UsedFeatureSet]
    rows: int
    status: Mapping[str, int]
    """How many rows have which status."""
    files: Sequence[str]
    seconds: Mapping[str, float]
    """How long each step took; a step that an earlier run had done took none."""
    made_ms: int
    labels: UsedLabels | None = None
    feature_log: UsedLog | None = None
    version: int = VERSION

    @property
    def longest_ms(self) -> int:
        """The longest window; 0 without any."""
        return max((each.window_ms for each in self.features), default=0)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the file."""
        return asdict(self)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a training set.

        Raises:
            CallerError: There is none, or a newer version wrote it.
        """
        path = folder / MANIFEST
        if not path.is_file():
            msg = f"{folder} is no training set: it has no {MANIFEST}"
            raise CallerError(msg)
        data = json.loads(path.read_text())
        if data["version"] != VERSION:
            msg = f"{path} has version {data['version']}; this code reads {VERSION}: upgrade"
            raise CallerError(msg)
        features = tuple(FeatureColumn(**each) for each in data["features"])
        used = tuple(UsedFeatureSet(**each) for each in data["featuresets"])
        files = tuple(data["files"])
        labels, served = data.get("labels"), data.get("feature_log")
        parts = {
            "features": features,
            "featuresets": used,
            "files": files,
            "labels": labels and UsedLabels(**{**labels, "columns": tuple(labels["columns"])}),
            "feature_log": served and UsedLog(**served),
        }
        return cls(**{**data, **parts})
