"""Everything that a deployment touches, and the real servers behind it."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from feature_platform.clock import SystemClock
from feature_platform.engines.flink import FlinkRest
from feature_platform.engines.flink_submitter import FlinkSubmitter
from feature_platform.engines.kafka_topics import KafkaTopics
from feature_platform.engines.ports import Backfiller, Cluster, RowStore, Submitter, Topics
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark import SparkBackfiller, SparkRecounter
from feature_platform.registry.base import Registry
from feature_platform.registry.cql import open_registry
from feature_platform.settings import Settings, password
from feature_platform.store.base import TileTables
from feature_platform.store.connect import connect
from feature_platform.store.cql import CqlTiles
from feature_platform.store.service_levels import Isolation


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Reads):
    """What can be asked, and what changes it; handed only to what does."""

    registry: Registry
    tables: TileTables
    tiles: RowStore
    topics: Topics
    cluster: Cluster
    submitter: Submitter
    backfiller: Backfiller
    holder: str
    """Who holds the leases that are taken."""
    isolation: Isolation = field(default_factory=Isolation)
    """What keeps jobs from slowing the rankers' reads down."""


@contextmanager
def open_world(settings: Settings, submitter: Submitter | None = None) -> Iterator[World]:
    """Connect to the real servers as `fp_admin`, with the registry's tables brought up to date.

    Args:
        settings: Where the servers are.
        submitter: One that is the caller's to close; without it the world has one of its own.

    Raises:
        SettingsError: The password of fp_admin is not known.
        StoreUnavailableError: The store does not answer.
    """
    clock = SystemClock()
    with (
        closing(FlinkSubmitter(settings)) as own,
        connect(settings.store, "fp_admin", password(settings, "admin")) as connection,
    ):
        tiles = CqlTiles(connection)
        isolation = Isolation.of(connection)
        yield World(
            settings=settings.model_copy(update={"store": isolation.bounded(settings.store)}),
            registry=open_registry(connection, clock),
            tables=tiles,
            tiles=tiles,
            topics=KafkaTopics(settings.kafka),
            cluster=FlinkRest(settings.flink.rest_url),
            submitter=submitter or own,
            backfiller=SparkBackfiller(settings),
            recounter=SparkRecounter(settings),
            clock=clock,
            holder=f"process {os.getpid()} on {socket.gethostname()}",
            isolation=isolation,
        )
