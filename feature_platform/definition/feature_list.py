"""A feature list as a frozen value: what a ranker asks for in one call. No YAML here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feature_platform.definition.limits import StatisticsRules
from feature_platform.definition.served import LIST_OF

Plain = int | float | str | bool
Default = Plain | list[Plain]
"""What is served where there is no value; a list for LAST_N."""

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
_WHOLE = ("BIGINT", "INT", "TIMESTAMP")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFeature:
    """One feature of a list."""

    name: str
    """As it is served, such as `post_engagement.views_30m`."""
    shown_as: str = ""
    """The column's name in the answer; empty: `name`."""
    default: Default | None = None
    """What is served where there is no value; None: nothing is."""
    max_age_ms: int = 0
    """How old the newest event of a property may be; 0: any age."""

    @property
    def column(self) -> str:
        """The column's name in the answer."""
        return self.shown_as or self.name

    @property
    def featureset(self) -> str:
        """The feature set that serves it."""
        return self.name.partition(".")[0]

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores; what is not said is left out."""
        said: dict[str, Any] = {"name": self.name}
        if self.shown_as:
            said["as"] = self.shown_as
        if self.default is not None:
            said["default"] = self.default
        if self.max_age_ms:
            said["max_age_ms"] = self.max_age_ms
        return said

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ListedFeature":
        """Read what `to_json` wrote."""
        return cls(
            name=data["name"],
            shown_as=data.get("as", ""),
            default=data.get("default"),
            max_age_ms=data.get("max_age_ms", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureList:
    """One version of a feature list."""

    name: str
    version: int
    features: tuple[ListedFeature, ...]
    """In the order of the answer's columns. Those of a stored version never change."""
    owner: str = ""
    description: str = ""
    file: str = ""
    """Where it is defined; empty for a stored one."""
    statistics: StatisticsRules = field(default_factory=StatisticsRules)
    """How what is served is judged: the file's alone, a stored one has the usual ones."""

    @property
    def featuresets(self) -> tuple[str, ...]:
        """The feature sets that it uses, each once."""
        return tuple(dict.fromkeys(feature.featureset for feature in self.features))

    @property
    def content(self) -> str:
        """What a version promises, as text: its features, not who answers for them."""
        return json.dumps([feature.to_json() for feature in self.features])

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores."""
        return {
            "list": self.name,
            "version": self.version,
            "owner": self.owner,
            "description": self.description,
            "features": [feature.to_json() for feature in self.features],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FeatureList":
        """Read what `to_json` wrote."""
        return cls(
            name=data["list"],
            version=data["version"],
            owner=data["owner"],
            description=data["description"],
            features=tuple(ListedFeature.from_json(each) for each in data["features"]),
        )


def default_fits(default: Default, served_type: str) -> bool:
    """Return whether a default is a value of a type that is served.

    Args:
        default: What was written.
        served_type: See `definition.served.served_type`.
    """
    if served_type.startswith(LIST_OF):
        inner = served_type.removeprefix(LIST_OF)
        return isinstance(default, list) and all(_is_of(each, inner) for each in default)
    return not isinstance(default, list) and _is_of(default, served_type)


def _is_of(value: Plain, type_name: str) -> bool:
    if type_name == "BOOLEAN":
        return isinstance(value, bool)
    if type_name == "STRING":
        return isinstance(value, str)
    if type_name in _WHOLE:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and LONG_MIN <= int(value) <= LONG_MAX
    return isinstance(value, int | float) and not isinstance(value, bool)
