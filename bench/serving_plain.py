"""The straightforward client of the serving benchmark: what a team writes first.

A row per entity and tile with a protobuf message `map<string, int64> counts`, read by the driver's
own `execute_concurrent_with_args`; decoded rows of an entity in a `cachetools.TTLCache`; windows
are added up in dicts. It reads the same tiles as the platform.
"""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from bench.serving_ranker import Floats, Ranker, Spec

TABLE = "plain_tiles"
COLUMNS = "entity bigint, level int, start bigint, counts blob"
KEY = "(entity), level, start"
CONCURRENCY = 100
TTL_S = 3_600.0
"""Nothing expires while it is timed, as in the platform's cache."""

Tile = tuple[int, int]
Counts = Mapping[str, int]


def message_class() -> type[Message]:
    """Return the class of `message Tile {map<string, int64> counts = 1;}`."""
    file = FileDescriptorProto(name="bench/tile.proto", package="bench", syntax="proto3")
    message = file.message_type.add(name="Tile")
    entry = message.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    single = FieldDescriptorProto.LABEL_OPTIONAL
    entry.field.add(name="key", number=1, label=single, type=FieldDescriptorProto.TYPE_STRING)
    entry.field.add(name="value", number=2, label=single, type=FieldDescriptorProto.TYPE_INT64)
    message.field.add(
        name="counts",
        number=1,
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".bench.Tile.CountsEntry",
    )
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("bench.Tile"))


class Straightforward:
    """Mutable: keeps what it has decoded."""

    def __init__(self, spec: Spec) -> None:
        """Log in.

        Args:
            spec: `keys`: tiles that are read; `windows`: for each its tiles; `counters`: their
                names; `cache_entities`: how many entities it has room for.
        """
        self._keys: list[Tile] = [(level, start_ms) for level, start_ms in spec["keys"]]
        self._windows = [[(level, start) for level, start in tiles] for tiles in spec["windows"]]
        self._counters: list[str] = spec["counters"]
        self._room: int = spec["cache_entities"]
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy("datacenter1")),
            request_timeout=60.0,
        )
        self._session = Cluster(
            ["127.0.0.1"],
            port=spec["port"],
            auth_provider=PlainTextAuthProvider("fp_service", os.environ["BENCH_PASSWORD"]),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            protocol_version=4,
        ).connect()
        self._select = self._session.prepare(
            f"SELECT level, start, counts FROM fp.{TABLE} WHERE entity = ? AND (level, start) IN ?"
        )
        self._tile: Any = message_class()
        self.begin()

    def begin(self) -> None:
        """Forget everything."""
        from cachetools import TTLCache  # of the group bench, which tests of it do without

        self._kept: Any = TTLCache(maxsize=self._room, ttl=TTL_S)

    def ask(self, entities: Sequence[int]) -> Floats:
        """Return a matrix."""
        found = {entity: self._kept.get(entity) for entity in entities}
        missing = [entity for entity, tiles in found.items() if tiles is None]
        if missing:
            found |= self._read(missing)
        return np.array([self._features(found[entity]) for entity in entities], dtype=np.float64)

    def _read(self, entities: Sequence[int]) -> dict[int, dict[Tile, Counts]]:
        asked = [(entity, self._keys) for entity in entities]
        answers = execute_concurrent_with_args(
            self._session, self._select, asked, concurrency=CONCURRENCY
        )
        found: dict[int, dict[Tile, Counts]] = {}
        for entity, (_, rows) in zip(entities, answers, strict=True):
            tiles: dict[Tile, Counts] = {
                (row.level, row.start): dict(self._tile.FromString(row.counts).counts)
                for row in rows
            }
            found[entity] = self._kept[entity] = tiles
        return found

    def _features(self, tiles: Mapping[Tile, Counts]) -> list[int]:
        totals: list[dict[str, int]] = []
        for window in self._windows:
            total: dict[str, int] = {}
            for key in window:
                for name, count in tiles.get(key, {}).items():
                    total[name] = total.get(name, 0) + count
            totals.append(total)
        return [total.get(name, 0) for name in self._counters for total in totals]

    def values(self, answer: Floats) -> Floats:
        """Return the matrix."""
        return answer

    def about(self) -> dict[str, Any]:
        """Return versions."""
        return {"cachetools": version("cachetools"), "protobuf": version("protobuf")}


def ranker(spec: Spec) -> Ranker:
    """Make it."""
    return Straightforward(spec)
