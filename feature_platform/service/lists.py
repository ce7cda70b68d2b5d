"""The feature lists that a service answers: prepared once, and looked at again in the background.

A request waits for the registry only when it is the first that asks for a list. An answer of the
registry is good for `refresh_ms`; then the next request starts another look and is served by what
is known. What cannot be prepared is remembered, too, for a shorter time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError, FeaturePlatformError, StoreUnavailableError
from feature_platform.service.encode import About, heads, packable, set_value
from feature_platform.service.features_pb2 import KindOfEntity, ListDescription
from feature_platform.serving import FeatureClient, PreparedFeatures
from feature_platform.serving.prepared import prepared
from feature_platform.serving.read_plan import Group, resolve, types_of

LISTS_MAX = 1_000
"""How many are remembered, counting each version and choice of kinds."""
REFRESH_MS = 5_000
ERROR_MS = 1_000
"""How long an error is good for: the registry is not asked for each request of a wrong name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which columns a request asks for."""

    name: str = ""
    """A stored list."""
    version: int = 0
    """Of the list; 0: the newest."""
    features: tuple[str, ...] = ()
    """Instead of a list."""
    kinds: tuple[str, ...] = ()
    """Only the columns about these kinds of entity; empty: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A list as it is served."""

    prepared: PreparedFeatures
    about: About
    groups: tuple[Group, ...]

    def describe(self) -> ListDescription:
        """Return columns and kinds of entity, for clients."""
        kinds: dict[str, KindOfEntity] = {}
        for group in self.groups:
            snapshot = group.snapshot
            entity, type_ = snapshot.entity, snapshot.entity_type
            kind = kinds.setdefault(entity, KindOfEntity(name=entity, type=type_))
            kind.featuresets.append(snapshot.featureset)
        told = heads(self.prepared.names, types_of(self.groups), self.about.kinds)
        for column, listed in zip(told, self.prepared.feature_list.features, strict=True):
            if listed.default is not None:
                set_value(column.default, packable(listed.default))
        return ListDescription(
            list=self.about.name,
            version=self.about.version,
            heads=told,
            kinds=kinds.values(),
            entities_max=self.prepared.client.limits.entities_max,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    found: Served | FeaturePlatformError
    read_ms: int

    def is_old(self, now_ms: int) -> bool:
        good_ms = REFRESH_MS if isinstance(self.found, Served) else ERROR_MS
        return not 0 <= now_ms - self.read_ms < good_ms


class ServedLists:
    """Remembers lists. Mutable; used by one event loop alone."""

    def __init__(self, client: FeatureClient) -> None:
        """Know none yet."""
        self._client = client
        self._known: OrderedDict[Wanted, _Known] = OrderedDict()
        self._looks: dict[Wanted, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fp-lists")

    async def find(self, wanted: Wanted) -> Served:
        """Return a list as it is served.

        Raises:
            UnknownFeatureError: There is no such list, version or feature.
            CallerError: It says nothing, or too much.
            StoreUnavailableError: The registry has never answered.
        """
        known = self._known.get(wanted)
        if known is None or (known.is_old(self._now_ms()) and not isinstance(known.found, Served)):
            await asyncio.shield(self._look(wanted))
            known = self._known[wanted]
        elif known.is_old(self._now_ms()):
            self._look(wanted)  # this request is served by what is known
        self._known.move_to_end(wanted)
        if isinstance(known.found, FeaturePlatformError):
            raise type(known.found)(str(known.found))
        return known.found

    async def renewed(self, wanted: Wanted, unfit: Served) -> Served:
        """Return a list as it is stored by now.

        Args:
            wanted: The list.
            unfit: How it was served: a feature of it is not deployed any more.

        Raises:
            UnknownFeatureError: There is no such list, version or feature any more.
            StoreUnavailableError: The registry does not answer.
        """
        known = self._known.get(wanted)
        if known is None or known.found is unfit:
            await asyncio.shield(self._look(wanted))
        return await self.find(wanted)

    async def close(self) -> None:
        """Look no more."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _now_ms(self) -> int:
        return self._client.clock.now_ms()

    def _look(self, wanted: Wanted) -> asyncio.Task[None]:
        """Return the look at the registry that is under way, or begin one."""
        if wanted not in self._looks:
            look = asyncio.get_running_loop().create_task(self._read(wanted))
            look.add_done_callback(lambda _: self._looks.pop(wanted, None))
            self._looks[wanted] = look
        return self._looks[wanted]

    async def _read(self, wanted: Wanted) -> None:
        loop = asyncio.get_running_loop()
        found: Served | FeaturePlatformError
        try:
            found = await loop.run_in_executor(self._pool, _prepare, self._client, wanted)
        except StoreUnavailableError as error:
            known = self._known.get(wanted)
            found = known.found if known and isinstance(known.found, Served) else error
        except CallerError as error:
            found = error
        self._known[wanted] = _Known(found=found, read_ms=self._now_ms())
        while len(self._known) > LISTS_MAX:
            self._known.popitem(last=False)


def _prepare(client: FeatureClient, wanted: Wanted) -> Served:
    """Ask the registry. Blocks."""
    if bool(wanted.name) == bool(wanted.features):
        msg = (
            "the request names no list" if not wanted.name else "the request has list and features"
        )
        msg += "; send `list`, the name of a stored feature list, or `features`, a list of names"
        raise CallerError(msg)
    if wanted.features:
        if wanted.version:
            msg = f"version is {wanted.version}, and no list is named: send `list`, or no version"
            raise CallerError(msg)
        made = client.prepare(wanted.features)
    else:
        made = client.prepare(list=wanted.name, version=wanted.version or None)
    if wanted.kinds:
        groups = resolve(client.snapshots(), made.full_names)
        about = kinds_of(groups, len(made.names))
        made = prepared(client, only(made.feature_list, about, wanted.kinds), None, {})
    groups = resolve(client.snapshots(), made.full_names)
    shown = About(
        name=made.feature_list.name,
        version=made.feature_list.version,
        kinds=kinds_of(groups, len(made.names)),
    )
    return Served(prepared=made, about=shown, groups=groups)


def kinds_of(groups: Sequence[Group], count: int) -> tuple[str, ...]:
    """Return the kind of entity of each column."""
    kinds = {place: group.snapshot.entity for group in groups for place in group.positions}
    return tuple(kinds[place] for place in range(count))


def only(whole: FeatureList, about: Sequence[str], kinds: Sequence[str]) -> FeatureList:
    """Return a list with the columns about some kinds of entity alone.

    Args:
        whole: The list.
        about: The kind of each of its columns.
        kinds: Those that are wanted.

    Raises:
        CallerError: No column is about one of them.
    """
    for kind in kinds:
        if kind not in about:
            hint = did_you_mean(kind, about) or f"; there are {', '.join(sorted(set(about)))}"
            msg = f"kinds has {kind!r}, and no feature that is asked is about that{hint}"
            raise CallerError(msg)
    chosen = zip(whole.features, about, strict=True)
    return replace(whole, features=tuple(feature for feature, kind in chosen if kind in kinds))
