"""What is deployed once a plan was executed: the snapshot that it leads to. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.compare import NOW_MS, Change
from feature_platform.plan.job import job_definition
from feature_platform.plan.snapshot import (
    DeployedFeature,
    EarlierSource,
    Snapshot,
    since_of,
    table_name,
)
from feature_platform.tiles.layout import EVENTS_COLUMN, Layout, LayoutColumn
from feature_platform.tiles.retention import Retention


def target_of(wanted: FeatureSet, layout: Layout, change: Change, base: Snapshot) -> Snapshot:
    """Return what is deployed afterwards; `base` has what the definition does not decide."""
    return replace(
        base,
        entity=wanted.entity,
        source=wanted.source.name,
        topic=wanted.source.topic,
        layout=layout,
        features=tuple(
            _deployed_feature(feature, wanted, change, base) for feature in wanted.features
        ),
        flink_sql=wanted.flink_sql,
        data_fingerprint=wanted.data_fingerprint,
        metadata_fingerprint=wanted.metadata_fingerprint,
        parallelism=wanted.settings.parallelism,
        job=job_definition(wanted, layout),
        retention=base.kept if base.layout.columns else Retention.begun(layout.retention_ms),
        column_since=_column_since(wanted, layout, base) if base.layout.columns else {},
        rows_meaning=wanted.rows_meaning,
    )


def _column_since(wanted: FeatureSet, layout: Layout, base: Snapshot) -> dict[str, dict[str, int]]:
    """Return since when tiles hold each column, by column id and level, where it is not always."""
    before = {column.id: column for column in base.layout.columns}
    lifetime = layout.grid.lifetime_level
    found: dict[str, dict[str, int]] = {}
    for column in layout.columns:
        levels = (*column.levels, *([lifetime] if column.lifetime else []))
        since = {level: _level_since(wanted, column, level, before, base) for level in levels}
        known = {str(level): ms for level, ms in since.items() if ms}
        if known:
            found[str(column.id)] = known
    return found


def _level_since(
    wanted: FeatureSet,
    column: LayoutColumn,
    level: int,
    before: Mapping[int, LayoutColumn],
    base: Snapshot,
) -> int:
    old = before.get(column.id)
    if old is None or not old.stands_in(level, base.layout.grid.lifetime_level):
        return NOW_MS
    if column.name == EVENTS_COLUMN and not _counts_the_same(wanted, base):
        return NOW_MS
    if base.retention is not None:
        return base.column_since.get(str(column.id), {}).get(str(level), 0)
    return since_of(base, old, level)


def _counts_the_same(wanted: FeatureSet, base: Snapshot) -> bool:
    """Return whether the query counts the same events as before."""
    if base.rows_meaning:
        return base.rows_meaning == wanted.rows_meaning
    known = {feature.name: feature.meaning for feature in base.features}
    return any(known.get(feature.name) == feature.meaning for feature in wanted.features)


def _deployed_feature(
    feature: Feature, wanted: FeatureSet, change: Change, base: Snapshot
) -> DeployedFeature:
    """Return a feature as readers need it; instants that this change does not touch are kept."""
    column = next(column for column in wanted.columns if column.name == feature.columns[0])
    old = next((item for item in base.features if item.name == feature.name), None)
    valid_from_ms = old.valid_from_ms if old else 0
    before_ms = old.added_ms if old else {}
    added_ms = {
        name: change.added.get(name, before_ms.get(name, 0))
        for name in feature.served_names
        if name in change.added or name in before_ms
    }
    edited = feature.name in change.edited
    return DeployedFeature(
        name=feature.name,
        aggregate=feature.aggregate,
        columns=feature.columns,
        windows_ms=feature.windows_ms,
        lifetime=feature.lifetime,
        latest=feature.latest,
        carrier=column.carrier,
        value_type=str(column.value_type),
        scale=column.scale,
        valid_from_ms=NOW_MS if edited else valid_from_ms,
        description=feature.description,
        meaning=feature.meaning,
        added_ms={} if edited else added_ms,
    )


def blank(wanted: FeatureSet, generation: int) -> Snapshot:
    """Return a snapshot that has nothing yet but its generation."""
    empty = Layout(grid=wanted.grid, retention_ms=(), columns=())
    return Snapshot(
        featureset=wanted.name,
        generation=generation,
        table=table_name(wanted.name, generation),
        entity="",
        source="",
        topic="",
        layout=empty,
        features=(),
        flink_sql="",
        data_fingerprint="",
        metadata_fingerprint="",
        deployment="",
        job_id="",
        savepoint="",
        state="deploying",
        parallelism=0,
        deployed_ms=0,
        definition={},
        job=job_definition(wanted, empty),
    )


SOURCES_MAX = 16
"""Earlier sources that are remembered; with more, what they read is not judged any more."""


def reading(target: Snapshot, before: Snapshot, until: Mapping[str, int], now_ms: int) -> Snapshot:
    """Return what an upgrade leads to, with the source by which events were read before it.

    An event may be a dead letter by one source and none by another, so a recomputation reads each
    event as the job did.

    Args:
        target: What is deployed then.
        before: What was deployed.
        until: The offsets up to which it has read; empty if nobody knows.
        now_ms: Columns count from now on as far as a recomputation shows, if that is not known.
    """
    old, new = before.job.source, target.job.source
    if old == new:
        return target
    known = before.earlier_sources
    if until and len(known) < SOURCES_MAX:
        earlier = (*known, EarlierSource(source=old, until=dict(until)))
        return replace(target, earlier_sources=earlier)
    lifetime = target.layout.grid.lifetime_level
    since = {
        str(column.id): {
            str(level): now_ms
            for level in (*column.levels, lifetime)
            if column.stands_in(level, lifetime)
        }
        for column in target.layout.columns
    }
    return replace(target, earlier_sources=(), column_since=since)


def settled(target: Snapshot, now_ms: int) -> Snapshot:
    """Return a plan's target with the present in place of `NOW_MS`."""
    return replace(
        target,
        features=tuple(
            replace(
                feature,
                valid_from_ms=now_ms if feature.valid_from_ms == NOW_MS else feature.valid_from_ms,
                added_ms={
                    name: now_ms if since_ms == NOW_MS else since_ms
                    for name, since_ms in feature.added_ms.items()
                },
            )
            for feature in target.features
        ),
        column_since={
            column: {level: now_ms if ms == NOW_MS else ms for level, ms in levels.items()}
            for column, levels in target.column_since.items()
        },
    )
