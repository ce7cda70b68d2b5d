"""A feature list's YAML: what a ranker asks for in one call, checked against the feature sets."""

import math
import re
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence

from feature_platform.definition.feature_list import (
    Default,
    FeatureList,
    ListedFeature,
    Plain,
    default_fits,
)
from feature_platform.definition.fields import Fields
from feature_platform.definition.limits import of_served
from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.definition.names import check_name, unknown
from feature_platform.definition.problems import Place, Problems, listing
from feature_platform.definition.read_limits import read_rules
from feature_platform.definition.served import AGED
from feature_platform.definition.yaml_tree import Items, Mapping, Node, Scalar, describe, is_decimal

KEYS = ("list", "version", "owner", "description", "entities", "features", "statistics")
FEATURE_KEYS = ("name", "as", "default", "max_age")
VERSION_MAX = 1_000_000
FEATURES_MAX = 2_000
MAX_AGE_MS = (1_000, 3_650 * 86_400_000)
RESERVED = "fp_"
"""Begins the columns that the feature log adds."""
COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_EXAMPLE = "[post_engagement.views_30m]"

FeatureSets = MappingOf[str, FeatureSet | None]
"""The project's feature sets by name; None for one that has mistakes of its own."""


def read_list(tree: Mapping, featuresets: FeatureSets, problems: Problems) -> FeatureList | None:
    """Check a feature list's YAML.

    Args:
        tree: The file.
        featuresets: What may be listed.
        problems: Collects every mistake.

    Returns:
        The list, or None if there was a mistake.
    """
    fields = Fields(tree, KEYS, problems)
    name = fields.scalar("list", example="feed_ranker")
    if name is not None:
        check_name(name.text, "feature list", name, problems)
    version = fields.integer("version", 1, VERSION_MAX)
    if tree.get("version") is None:
        problems.add(tree, "`version` is missing; add a line such as `version: 1`")
    owner, description = fields.text("owner"), fields.text("description")
    reader = _Reader(featuresets, problems)
    features = reader.read(fields)
    reader.check_entities(fields)
    served = {name: of_served(type_) for name, type_ in reader.types.items()}
    statistics = read_rules(fields, served, problems)
    if problems.found or name is None or version is None:
        return None
    return FeatureList(
        name=name.text,
        version=version,
        features=features,
        owner=owner,
        description=description,
        file=problems.file,
        statistics=statistics,
    )


class _Reader:
    """Reads `features:` of one list (mutable: remembers kinds of entity and mistakes)."""

    def __init__(self, featuresets: FeatureSets, problems: Problems) -> None:
        self.featuresets = featuresets
        self.problems = problems
        self.kinds: dict[str, FeatureSet] = {}
        """By kind of entity the first feature set that is about it."""
        self.types: dict[str, str] = {}
        """What each column serves."""

    def read(self, fields: Fields) -> tuple[ListedFeature, ...]:
        node = fields.node("features", example=_EXAMPLE)
        if node is None:
            return ()
        if not isinstance(node, Items) or not 1 <= len(node.items) <= FEATURES_MAX:
            given = f"{len(node.items)} of them" if isinstance(node, Items) else describe(node)
            msg = f"`features` must be a list of 1 to {FEATURES_MAX:,} features, such as {_EXAMPLE}"
            self.problems.add(node, f"{msg}, not {given}")
            return ()
        read = [(self._feature(item), item) for item in node.items]
        features = [(feature, item) for feature, item in read if feature is not None]
        self._check_columns(features)
        return tuple(feature for feature, _ in features)

    def check_entities(self, fields: Fields) -> None:
        """Check that `entities`, if it is there, names every kind that a request must have."""
        node = fields.node("entities")
        if node is None:
            return
        if not isinstance(node, Items):
            msg = f"`entities` must be a list such as [user_id, post_id], not {describe(node)}"
            self.problems.add(node, msg)
            return
        read = [(fields.as_text(item, "an entity"), item) for item in node.items]
        named = {text.text: item for text, item in read if text is not None}
        for name, item in named.items():
            if name not in self.kinds:
                msg = unknown("entity", name, self.kinds, where="; no feature of the list has it")
                self.problems.add(item, msg)
        missing = [kind for kind in self.kinds if kind not in named]
        if missing:
            sets = ", ".join(f"`{kind}` of {self.kinds[kind].name}" for kind in missing)
            self.problems.add(node, f"`entities` lacks {sets}; add it, or remove its features")

    def _feature(self, node: Node) -> ListedFeature | None:
        if isinstance(node, Mapping):
            fields = Fields(node, FEATURE_KEYS, self.problems, within=" of a listed feature")
            name = fields.scalar("name", example="post_engagement.views_30m")
        else:
            fields = Fields(
                Mapping(entries=(), line=node.line, column=node.column), (), self.problems
            )
            name = fields.as_text(node, "a listed feature")
        if name is None:
            return None
        found = self._find(name)
        shown_as = self._shown_as(fields)
        max_age_ms = fields.duration_ms("max_age", 0, *MAX_AGE_MS)
        default_node = fields.mapping.get("default")
        default = None if default_node is None else self._default(default_node)
        if found is None:
            self.types[shown_as or name.text] = ""  # whatever it was meant to be
            return None
        featureset, feature = found
        if max_age_ms and feature.aggregate not in AGED:
            msg = (
                f"`max_age` of `{name.text}`: it is a {feature.aggregate.upper()}, and only "
                "LAST_VALUE and LAST_N have an age; remove it"
            )
            self.problems.add(fields.key("max_age"), msg)
        served = self.types[shown_as or name.text] = featureset.served_types[
            name.text.partition(".")[2]
        ]
        if default is not None and default_node is not None:
            self._check_default(name.text, default, served, default_node)
        return ListedFeature(
            name=name.text, shown_as=shown_as, default=default, max_age_ms=max_age_ms
        )

    def _find(self, name: Scalar) -> tuple[FeatureSet, Feature] | None:
        """Return what serves a name; what it is about becomes a kind of the request."""
        of, dot, served = name.text.partition(".")
        if not dot:
            msg = f"`{name.text}` has no feature set; write FEATURESET.{name.text}"
            self.problems.add(name, msg)
            return None
        if of not in self.featuresets:
            self.problems.add(name, unknown("feature set", of, self.featuresets))
            return None
        featureset = self.featuresets[of]
        if featureset is None:
            msg = f"feature set `{of}` has errors of its own; fix them first"
            self.problems.add(name, msg)
            return None
        by_name = {each: feature for feature in featureset.features for each in feature.served}
        if served not in by_name:
            self.problems.add(name, unknown("feature", served, by_name, where=f" of `{of}`"))
            return None
        other = self.kinds.setdefault(featureset.entity, featureset)
        mine, theirs = _entity_type(featureset), _entity_type(other)
        if mine != theirs:
            msg = (
                f"`{featureset.entity}` is {mine} in {featureset.name} and {theirs} in "
                f"{other.name}; one key cannot be both: ask for them in two lists"
            )
            self.problems.add(name, msg)
        return featureset, by_name[served]

    def _shown_as(self, fields: Fields) -> str:
        shown = fields.scalar("as")
        if shown is None:
            return ""
        if not COLUMN.fullmatch(shown.text):
            msg = (
                f"`as: {shown.text}` is not a valid name: use letters, digits, `_` and `.`, "
                "starting with a letter or `_`, at most 128 characters"
            )
            self.problems.add(shown, msg)
        elif shown.text.startswith(RESERVED):
            msg = f"`as: {shown.text}`: names with `{RESERVED}` in front are the feature log's own"
            self.problems.add(shown, msg)
        return shown.text

    def _default(self, node: Node) -> Default | None:
        """Return a default as it is written; None if it is none, which is reported."""
        if isinstance(node, Items):
            values = [_plain(item) for item in node.items]
            if all(value is not None for value in values):
                return [value for value in values if value is not None]
        else:
            value = _plain(node)
            if value is not None:
                return value
        msg = f"`default` must be a number, a string, true, false or a list, not {describe(node)}"
        self.problems.add(node, msg)
        return None

    def _check_default(self, name: str, default: Default, served: str, place: Place) -> None:
        if not default_fits(default, served):
            msg = f"the default {default!r} of `{name}` does not fit: it serves {served}"
            self.problems.add(place, f"{msg}; write a value of that type, or remove it")

    def _check_columns(self, features: Sequence[tuple[ListedFeature, Node]]) -> None:
        """Check that the answer's columns have names of their own, and the keys' too."""
        taken: dict[str, Node] = {}
        for feature, node in features:
            first = taken.setdefault(feature.column, node)
            if first is not node:
                msg = (
                    f"`{feature.column}` is listed twice, first in line {first.line}; remove one, "
                    "or name it with `as`"
                )
                self.problems.add(node, msg)
            if feature.column in self.kinds:
                msg = (
                    f"`{feature.column}` is also the entity of {self.kinds[feature.column].name}; "
                    f"choose another `as` than {listing(self.kinds)}"
                )
                self.problems.add(node, msg)


def _entity_type(featureset: FeatureSet) -> str:
    return dict(featureset.source.columns)[featureset.entity].name


def _plain(node: Node) -> Plain | None:
    """Return a scalar as a value; None for what is none."""
    if not isinstance(node, Scalar):
        return None
    if node.kind == "int" and is_decimal(node.text):
        return int(node.text)
    if node.kind == "float":
        value = _float(node.text)
        return value if math.isfinite(value) else None
    if node.kind == "bool" and node.text in {"true", "false"}:
        return node.text == "true"
    return node.text if node.kind == "str" else None


def _float(text: str) -> float:
    """Return a number; NaN for what only YAML takes for one, such as `1_0.5` or `.inf`."""
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
