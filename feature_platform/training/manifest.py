"""What a training set says of itself: from which definitions and events it was made, and how."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
class Manifest:
    """All that is worth knowing of a training set beside its rows."""

    list: str
    list_version: int
    as_of: AsOf
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
        return cls(**{**data, "features": features, "featuresets": used, "files": files})
