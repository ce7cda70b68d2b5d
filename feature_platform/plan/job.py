"""What a job is to compute: the part of the job spec that a definition decides.

It is kept in the snapshot, so that a restart repeats what was deployed, whatever files say then.
"""

from collections.abc import Iterable
from typing import Any

from feature_platform.definition.model import ColumnType, FeatureSet, Source
from feature_platform.tiles.layout import Layout

DEAD_LETTERS = "dead_letters"


def dead_letter_topic(topic: str) -> str:
    """Return the topic of events that could not be read."""
    return f"{topic}.{DEAD_LETTERS}"


def job_definition(featureset: FeatureSet, layout: Layout) -> dict[str, Any]:
    """Return what the job of a feature set computes."""
    settings = featureset.settings
    return {
        "featureset": featureset.name,
        "entity": featureset.entity,
        "sql": featureset.flink_sql,
        "spark_sql": featureset.spark_sql,
        "sql_fingerprint": featureset.sql_fingerprint,
        "data_fingerprint": featureset.data_fingerprint,
        "source": source_json(featureset.source, featureset.reads) | _sum_scales(featureset),
        "dead_letter_topic": dead_letter_topic(featureset.source.topic),
        "layout": layout.to_json(),
        "settings": {
            "flush_interval_ms": settings.flush_interval_ms,
            "state_ttl_ms": settings.state_ttl_ms,
            "sql_state_ttl_ms": settings.sql_state_ttl_ms,
            "checkpoint_interval_ms": settings.checkpoint_interval_ms,
            "parallelism": settings.parallelism,
        },
    }


def _sum_scales(featureset: FeatureSet) -> dict[str, Any]:
    """Return the bounds of what is summed: beyond them an event is a dead letter."""
    return {"sum_scales": dict(featureset.sum_scales)} if featureset.sum_scales else {}


def timing_json(source: Source) -> dict[str, Any]:
    """Return a source as the event log reads it: nothing but an event's time is of interest."""
    columns = [(name, kind) for name, kind in source.columns if name == source.event_time]
    return source_json(source, columns)


def source_json(source: Source, columns: Iterable[tuple[str, ColumnType]]) -> dict[str, Any]:
    """Return a source as the kernel's parser reads it.

    Args:
        source: The source.
        columns: Those of its columns that are read; what others hold makes no difference.
    """
    return {
        "name": source.name,
        "topic": source.topic,
        "format": source.format,
        "event_time": source.event_time,
        "event_time_unit": source.event_time_unit,
        "max_future_ms": source.max_future_ms,
        "max_past_ms": source.max_past_ms,
        "columns": [
            {"name": name, "type": kind.name}
            | ({"precision": kind.precision, "scale": kind.scale} if kind.name == "DECIMAL" else {})
            for name, kind in columns
        ],
    }
