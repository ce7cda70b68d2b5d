"""What a list asks of each kind of entity, as it is deployed now, and what is kept of that.

An edition belongs to one version of a list and one deployment of its feature sets: what is kept
under another one is never part of an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import get_args

from feature_platform.plan.snapshot import Snapshot
from feature_platform.service.bytes_cache import BytesCache, Shelf
from feature_platform.service.encode import Form, heads
from feature_platform.service.entity_bytes import Run
from feature_platform.service.features_pb2 import GetFeaturesResponse
from feature_platform.service.lists import Served, kinds_of, only
from feature_platform.service.shape import Numbers, Shape, shape_of
from feature_platform.serving import FeatureClient, PreparedFeatures
from feature_platform.serving.asked import Options
from feature_platform.serving.prepared import check_wishes, prepared
from feature_platform.serving.read_plan import Group, ReadPlan, resolve, types_of

FormKey = tuple[Numbers | None, bool]
"""A form of entities' bytes: how numbers are packed, None in the layout by row; with states."""
FORMS: tuple[FormKey, ...] = tuple(product((None, *get_args(Numbers)), (False, True)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """The columns about one kind of entity."""

    name: str
    places: tuple[int, ...]
    """Where its columns are in the list."""
    types: tuple[str, ...]
    runs: tuple[Run, ...]
    """Columns that are neighbours in the list, as places among these."""
    part: PreparedFeatures
    """Of the list, the columns about this kind."""
    about: tuple[Snapshot, ...]
    """The feature sets that they come from."""
    shelves: Mapping[FormKey, Shelf]

    def shape(self, form: Form) -> Shape:
        """Return the shape of its packed rows."""
        return shape_of(self.types, form.numbers, states=form.states)

    def shelf(self, form: Form) -> Shelf:
        """Return where its entities' bytes are kept; columns are made of packed rows."""
        return self.shelves[None if form.layout == "rows" else form.numbers, form.states]

    def plans(self, snapshots: Sequence[Snapshot], asked: Options) -> Sequence[ReadPlan]:
        """Return how its feature sets are read; see `PreparedFeatures.planned`."""
        return self.part.planned(snapshots, asked).kinds[self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A list as it is deployed at some time."""

    served: Served
    looked: tuple[Snapshot, ...]
    """What was deployed when it was looked at last."""
    used: Mapping[str, Snapshot]
    """The feature sets that it asks."""
    kinds: Mapping[str, Kind]
    head: bytes
    """What each answer begins with: list, version and columns."""

    @property
    def about(self) -> Mapping[str, Sequence[Snapshot]]:
        """The feature sets by kind of entity, which keys must fit."""
        return {name: kind.about for name, kind in self.kinds.items()}

    def seen(self, served: Served, deployed: tuple[Snapshot, ...]) -> "Edition | None":
        """Return it as of a later look; None if list or deployment have changed.

        Args:
            served: The list.
            deployed: What is deployed.
        """
        if self.served is served and self.looked is deployed:
            return self
        by_name = {each.featureset: each for each in deployed}
        mine, other = self.served.prepared, served.prepared
        if mine.feature_list != other.feature_list or any(
            by_name.get(name) != snapshot for name, snapshot in self.used.items()
        ):
            return None
        return replace(self, served=served, looked=deployed)


def edition_of(
    client: FeatureClient, served: Served, deployed: tuple[Snapshot, ...], cache: BytesCache
) -> Edition:
    """Resolve a list against what is deployed, with empty shelves of a cache.

    Raises:
        UnknownFeatureError: A feature is not served any more.
        CallerError: What the list says of one does not fit it any more.
    """
    made = served.prepared
    groups = resolve(deployed, made.full_names)
    check_wishes(groups, made.feature_list, made.wishes)
    about = kinds_of(groups, len(made.names))
    parts = {
        name: prepared(client, only(made.feature_list, about, (name,)), None, {})
        for name in dict.fromkeys(about)
    }
    members = {name: resolve(deployed, part.full_names) for name, part in parts.items()}
    kinds = {name: _kind(name, part, members[name], about, cache) for name, part in parts.items()}
    types = {
        place: type_
        for kind in kinds.values()
        for place, type_ in zip(kind.places, kind.types, strict=True)
    }
    named = heads(made.names, [types[place] for place in range(len(types))], about)
    head = GetFeaturesResponse(list=served.about.name, version=served.about.version, heads=named)
    return Edition(
        served=served,
        looked=deployed,
        used={group.snapshot.featureset: group.snapshot for group in groups},
        kinds=kinds,
        head=head.SerializeToString(),
    )


def _kind(
    name: str,
    part: PreparedFeatures,
    groups: tuple[Group, ...],
    about: Sequence[str],
    cache: BytesCache,
) -> Kind:
    places = tuple(place for place, each in enumerate(about) if each == name)
    types = types_of(groups)
    return Kind(
        name=name,
        places=places,
        types=types,
        runs=_runs(places),
        part=part,
        about=tuple(group.snapshot for group in groups),
        shelves={form: cache.shelf() for form in FORMS},
    )


def _runs(places: Sequence[int]) -> tuple[Run, ...]:
    """Return which neighbours among some places are neighbours in the list."""
    breaks = [number for number, (one, next_) in enumerate(pairwise(places), 1) if next_ != one + 1]
    return tuple(pairwise([0, *breaks, len(places)]))
