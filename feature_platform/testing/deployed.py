"""A feature set as if it were deployed and its job had counted all events: for readers' tests."""

from collections.abc import Iterable
from dataclasses import dataclass

from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.job import job_definition
from feature_platform.plan.layout import build_layout
from feature_platform.plan.snapshot import DeployedFeature, Snapshot, table_name
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import FeatureClient
from feature_platform.store.base import HEAD_LEVEL, RowWrite, TileWriter, write_timestamp
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing.clock import ManualClock
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import RawEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A feature set that is served from memory, with the oracle of its events."""

    featureset: FeatureSet
    snapshot: Snapshot
    oracle: Oracle
    clock: ManualClock
    tiles: MemoryTiles
    registry: MemoryRegistry
    client: FeatureClient


def deploy_in_memory(
    featureset: FeatureSet,
    events: Iterable[RawEvent],
    now_ms: int,
    *,
    valid_from_ms: int = 0,
    attempt: int = 1,
    flush: int = 1,
) -> Deployed:
    """Store what the oracle expects of the events and serve it.

    Args:
        featureset: The definition.
        events: Records of its topic.
        now_ms: The instant the clock shows.
        valid_from_ms: Since when the features count.
        attempt: Who wrote the rows, with `flush`.
        flush: Which of the writer's flushes.
    """
    clock = ManualClock(now_ms)
    snapshot = snapshot_of(featureset, valid_from_ms=valid_from_ms)
    tiles, registry = MemoryTiles(clock), MemoryRegistry(clock)
    oracle = Oracle(featureset, snapshot.layout, events)
    tiles.create_table(snapshot.table)
    registry.save(snapshot)
    write_expected(tiles, snapshot.table, oracle, now_ms, attempt=attempt, flush=flush)
    return Deployed(
        featureset=featureset,
        snapshot=snapshot,
        oracle=oracle,
        clock=clock,
        tiles=tiles,
        registry=registry,
        client=FeatureClient(tiles, registry, clock=clock),
    )


def snapshot_of(featureset: FeatureSet, *, generation: int = 1, valid_from_ms: int = 0) -> Snapshot:
    """Return the snapshot that a first deployment makes; ids count up from 0."""
    ids = {column.name: number for number, column in enumerate(featureset.columns)}
    layout = build_layout(featureset, ids)
    return Snapshot(
        featureset=featureset.name,
        generation=generation,
        table=table_name(featureset.name, generation),
        entity=featureset.entity,
        source=featureset.source.name,
        topic=featureset.source.topic,
        layout=layout,
        features=tuple(
            _feature(featureset, feature, valid_from_ms) for feature in featureset.features
        ),
        flink_sql=featureset.flink_sql,
        data_fingerprint=featureset.data_fingerprint,
        metadata_fingerprint=featureset.metadata_fingerprint,
        deployment="test",
        job_id="",
        savepoint="",
        state="running",
        parallelism=featureset.settings.parallelism,
        deployed_ms=0,
        definition={},
        job=job_definition(featureset, layout),
    )


def _feature(featureset: FeatureSet, feature: Feature, valid_from_ms: int) -> DeployedFeature:
    stored = next(column for column in featureset.columns if column.name == feature.columns[0])
    return DeployedFeature(
        name=feature.name,
        aggregate=feature.aggregate,
        columns=feature.columns,
        windows_ms=feature.windows_ms,
        lifetime=feature.lifetime,
        latest=feature.latest,
        carrier=stored.carrier,
        value_type=str(stored.value_type),
        scale=stored.scale,
        valid_from_ms=valid_from_ms,
        description=feature.description,
        meaning=feature.meaning,
    )


def write_expected(
    writer: TileWriter, table: str, oracle: Oracle, now_ms: int, *, attempt: int = 1, flush: int = 1
) -> None:
    """Write what the oracle expects, as the kernel would: closed tiles only while they are kept."""
    for entity in oracle.entities:
        expected = oracle.entity(entity)
        if expected is None:
            continue
        rows = [RowWrite(level=HEAD_LEVEL, start_ms=0, payload=expected.head)]
        for tile in expected.closed:
            left_ms = (tile.expires_ms or 0) - now_ms
            if left_ms > 0:
                ttl_s = -(-left_ms // 1000)
                rows.append(
                    RowWrite(
                        level=tile.level, start_ms=tile.start_ms, payload=tile.payload, ttl_s=ttl_s
                    )
                )
        writer.write(table, entity, rows, written=write_timestamp(attempt, flush))
