"""The client of rankers: prepare features once, then ask for entities.

Deciding and computing (`read_plan`, `assemble`) do no I/O; this module reads between the two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from feature_platform.clock import SystemClock, WaitingClock
from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import (
    CallerError,
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import RegistryReader
from feature_platform.serving.answer_log import AnswerLog
from feature_platform.serving.asked import Options, contact, names_asked, not_negative
from feature_platform.serving.cache import CacheSettings, TileCache
from feature_platform.serving.cache_stats import CacheStats
from feature_platform.serving.circuit import Circuit
from feature_platform.serving.deadline import Deadline
from feature_platform.serving.deployed import DeployedReader
from feature_platform.serving.found import Found, FoundRows
from feature_platform.serving.lists import chosen_list, listed_names
from feature_platform.serving.meters import Meters
from feature_platform.serving.openmetrics import openmetrics
from feature_platform.serving.prepared import PreparedFeatures, prepared
from feature_platform.serving.read_plan import ReadPlan, served_names
from feature_platform.serving.reads import read_rows
from feature_platform.serving.waiting import Blocking, OnLoop, Waits
from feature_platform.settings import StoreSettings
from feature_platform.store.base import KEYS_PER_READ_MAX, READ_TIMEOUT_S, TileReader
from feature_platform.transport import StoreTls, Tls

if TYPE_CHECKING:
    from feature_platform.store.connect import Connection


T = TypeVar("T")
CACHED_DEADLINE_MS, DEADLINE_MS = 50, 1_000
"""How long a request waits for the store: with a cache most entities need no read."""
PATIENCE = 0.5
"""Share of a client's deadline after which a store that has not answered is taken to be down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; passing one is an error that names it."""

    entities_max: int = 10_000
    features_max: int = 2_000
    tiles_max: int = 2_000
    """Tiles of one entity, over all windows of one feature set."""
    rows_max: int = 2_000_000
    """Rows of all entities and feature sets of a request: they are in memory at once."""
    keys_per_read: int = KEYS_PER_READ_MAX
    """Of one entity; the store takes no more. The head is in the first: no tile is missed."""


class FeatureClient:
    """Serves features. Mutable: keeps what is deployed, and its cache. Safe for use by threads."""

    def __init__(  # noqa: PLR0913 (what it is made of)
        self,
        reader: TileReader,
        registry: RegistryReader,
        *,
        clock: WaitingClock | None = None,
        limits: Limits | None = None,
        refresh_ms: int = 5_000,
        background: bool = False,
        cache: CacheSettings | None = None,
        deadline_ms: float = READ_TIMEOUT_S * 1000,
        log: AnswerLog | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        """Serve from ports.

        Args:
            reader: Where the tiles are.
            registry: What is deployed.
            clock: What *now* means, and by which deadlines are kept.
            limits: What one request may ask for.
            refresh_ms: How long a look at the registry is good for.
            background: Look at the registry, and refresh what is asked for often, in threads of
                their own, on no request's time.
            cache: Keep tiles in memory; without it every request reads the store.
            deadline_ms: How long a request waits for the store if it says nothing else.
            log: Is shown each answer of now to a request by list; closed with the client.
            close: Called by `close`; without it the caller closes the ports.
        """
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.deadline_ms = deadline_ms
        self._registry = registry
        self.meters = Meters()
        self.log = log
        self.circuit = Circuit(reader, PATIENCE * self.deadline_ms / 1000, self.clock)
        self._deployed = DeployedReader(registry, self.clock, refresh_ms, background=background)
        self._cache: TileCache | None = None
        if cache is not None:
            begin = self.blocking if background else None
            self._cache = TileCache(cache, self.limits.keys_per_read, self.clock, begin)
        self._close = close
        self._closed = False

    @classmethod
    def connect(  # noqa: PLR0913 (what a ranker says once)
        cls,
        contact_points: Sequence[str],
        *,
        user: str,
        password: str,
        keyspace: str = "fp",
        local_dc: str = "datacenter1",
        limits: Limits | None = None,
        tls: Tls | None = None,
        cache: CacheSettings | None = None,
        deadline_ms: float | None = None,
        log: AnswerLog | None = None,
    ) -> Self:
        """Log in to the store. Blocks; close the client, or use it in a `with` statement.

        Args:
            contact_points: Addresses such as `10.0.0.1:9042`, tried in turn; other nodes are found.
                The client may be used after a fork: the child then logs in again.
            user: A role that may read, such as `fp_service`.
            password: Its password.
            keyspace: Where tiles and registry are.
            local_dc: The data centre to read from.
            limits: What one request may ask for.
            tls: How the store is known, and known to it; without it nothing is encrypted.
            cache: Keep tiles in memory; without it every request reads the store.
            deadline_ms: How long a request waits for the store if it says nothing else;
                `CACHED_DEADLINE_MS` with a cache, else `DEADLINE_MS`.
            log: Is shown each answer of now to a request by list; closed with the client.

        Raises:
            CallerError: An address is none.
            StoreUnavailableError: No contact point answers, or the store refuses the user.
            SettingsError: A file of `tls` is missing, or is not what it should be.
        """
        from feature_platform.registry.cql import CqlRegistry
        from feature_platform.store.cql import CqlTiles

        encryption = StoreTls.model_validate({**tls.model_dump(), "enabled": True} if tls else {})
        addresses = [
            StoreSettings(
                host=host, port=port, keyspace=keyspace, local_dc=local_dc, tls=encryption
            )
            for host, port in map(contact, names_asked("contact_points", contact_points))
        ]
        connection = _connect_any(addresses, user, password)
        return cls(
            CqlTiles(connection),
            CqlRegistry(connection),
            limits=limits,
            background=True,
            cache=cache,
            deadline_ms=deadline_ms or (CACHED_DEADLINE_MS if cache else DEADLINE_MS),
            log=log,
            close=connection.close,
        )

    def __enter__(self) -> Self:
        """Hand out itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection that `connect` made, and the log; twice is harmless."""
        self._closed = True
        self._deployed.close()
        if self._cache is not None:
            self._cache.close()
        if self.log is not None:
            self.log.close()
        if self._close is not None:
            self._close()

    def __reduce__(self) -> str:
        """Refuse to be pickled: a connection belongs to a process.

        Raises:
            CallerError: Always.
        """
        msg = "a FeatureClient cannot be pickled; call FeatureClient.connect in each process"
        raise CallerError(msg)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return what is deployed, at most `refresh_ms` old unless the registry does not answer.

        Raises:
            CallerError: The client is closed.
            StoreUnavailableError: The registry has never answered.
        """
        if self._closed:
            msg = "this FeatureClient is closed; connect another one"
            raise CallerError(msg)
        return self._deployed.snapshots()

    def features(self, featureset: str) -> tuple[str, ...]:
        """Return the names that a feature set serves.

        Raises:
            UnknownFeatureError: It is not deployed.
        """
        return self._looking(lambda: self._features(featureset))

    def _features(self, featureset: str) -> tuple[str, ...]:
        deployed = {snapshot.featureset: snapshot for snapshot in self.snapshots()}
        if featureset not in deployed:
            msg = f"feature set {featureset!r} is not deployed{did_you_mean(featureset, deployed)}"
            raise UnknownFeatureError(msg)
        return tuple(served_names(deployed[featureset]))

    def _looking(self, resolve: Callable[[], T]) -> T:
        """Resolve names; one that is not known may have been deployed since the last look."""
        try:
            return resolve()
        except UnknownFeatureError:
            self._deployed.look()
            return resolve()

    def prepare(
        self,
        features: Sequence[str] | None = None,
        *,
        featureset: str | None = None,
        list: str | None = None,  # noqa: A002 (what it is called everywhere)
        version: int | None = None,
        edge: str | None = None,
        max_age: Mapping[str, str] | None = None,
    ) -> PreparedFeatures:
        """Resolve features once. Blocks: the registry is asked for a list.

        Args:
            features: Names such as `post_engagement.views_30m`, or `views_30m` with `featureset`;
                with a feature set alone, all it serves. Several kinds of entity may be among them.
            featureset: Where bare names come from.
            list: A stored feature list instead of names.
            version: Of the list; without one the newest that is stored now.
            edge: How much longer windows may become for fewer tiles, such as `5m`.
            max_age: Of properties, by name: one whose newest event is older, such as than `7d`, is
                no value. It goes before what a list says.

        Raises:
            UnknownFeatureError: A name is not served, or there is no such list or version; the
                message says which come close.
            LimitExceededError: More names than allowed.
            CallerError: The features are no list of names, or what is asked of one does not fit it.
            StoreUnavailableError: The registry does not answer.
            ValueError: A duration cannot be read.
        """
        if list is not None:
            if features is not None or featureset is not None:
                msg = f"prepare has list={list!r} and also features; pass one of them"
                raise CallerError(msg)
            chosen = chosen_list(self._registry.feature_lists(), list, version)
        elif version is not None:
            msg = f"prepare has version={version!r} and no list; pass list=, or no version"
            raise CallerError(msg)
        else:
            if features is None:
                features = self.features(featureset) if featureset else ()
            chosen = listed_names(names_asked("features", features), featureset)
        return self._looking(lambda: prepared(self, chosen, edge, max_age or {}))

    def blocking(self, deadline_ms: float | None = None) -> Blocking:
        """Begin a request whose thread waits, until the deadline, or the client's."""
        return Blocking(
            circuit=self.circuit, deadline=self._deadline(deadline_ms), meters=self.meters
        )

    def on_loop(self, deadline_ms: float | None = None) -> OnLoop:
        """Begin a request that waits on the event loop, until the deadline, or the client's."""
        return OnLoop(
            circuit=self.circuit, deadline=self._deadline(deadline_ms), meters=self.meters
        )

    def _deadline(self, deadline_ms: float | None) -> Deadline:
        if deadline_ms is None:
            deadline_ms = self.deadline_ms
        return Deadline.after(not_negative("deadline_ms", deadline_ms), self.clock)

    async def find(
        self, waits: Waits, plan: ReadPlan, entities: Sequence[str], asked: Options
    ) -> Found:
        """Return what is known of entities, read now or kept; failures are answers.

        Args:
            waits: Reads, until the deadline.
            plan: What is asked.
            entities: Whose tiles, each once.
            asked: How old that may be; receipts are made of rows that are read now.
        """
        if self._cache is not None and not asked.explain and self._cache.takes(plan):
            return await self._cache.find(waits, plan, entities, asked)
        wanted = [(each, plan.keys) for each in entities]
        table, keys_per_read = plan.group.snapshot.table, self.limits.keys_per_read
        outcomes = await read_rows(waits, table, wanted, keys_per_read)
        ages_ms = None if self._cache is None else np.zeros(len(entities), dtype=np.int64)
        return FoundRows(plan=plan, outcomes=outcomes, ages_ms=ages_ms)

    @property
    def registry_age_s(self) -> float:
        """How long ago the registry last answered, by the client's clock; NaN: never."""
        return self._deployed.age_s

    def metrics(self) -> str:
        """Return what this process has counted as OpenMetrics text, see docs/serving.md.

        Raises:
            MissingExtraError: The library of Prometheus is not installed.
        """
        return openmetrics(self)

    def cache_stats(self) -> CacheStats | None:
        """Return what this process's cache holds and has done; None without a cache."""
        return None if self._cache is None else self._cache.stats()


def _connect_any(addresses: Sequence[StoreSettings], user: str, password: str) -> "Connection":
    """Connect to the first address that answers."""
    from feature_platform.store.connect import connect

    for number, address in enumerate(addresses, start=1):
        try:
            return connect(address, user, password)
        except StoreUnavailableError:
            if number == len(addresses):
                raise
    msg = "no contact point was given; pass at least one, such as 127.0.0.1:9042"
    raise StoreUnavailableError(msg)
