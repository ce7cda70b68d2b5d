"""What is deployed once a plan was executed: the snapshot that it leads to. Pure."""

from dataclasses import replace

from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.compare import NOW_MS, Change
from feature_platform.plan.job import job_definition
from feature_platform.plan.snapshot import DeployedFeature, Snapshot, table_name
from feature_platform.tiles.layout import Layout


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
    )


def _deployed_feature(
    feature: Feature, wanted: FeatureSet, change: Change, base: Snapshot
) -> DeployedFeature:
    """Return a feature as readers need it; instants that this change does not touch are kept."""
    column = next(column for column in wanted.columns if column.name == feature.columns[0])
    old = next((item for item in base.features if item.name == feature.name), None)
    valid_from_ms = old.valid_from_ms if old else 0
    added_ms = {
        name: NOW_MS if name in change.added else old.added_ms[name] if old else 0
        for name in feature.served_names
        if name in change.added or (old and name in old.added_ms)
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
    return Snapshot(
        featureset=wanted.name,
        generation=generation,
        table=table_name(wanted.name, generation),
        entity="",
        source="",
        topic="",
        layout=Layout(grid=wanted.grid, retention_ms=(), columns=()),
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
    )


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
    )
