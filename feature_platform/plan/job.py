"""What a job is to compute: the part of the job spec that a definition decides.

It is kept in the snapshot, so that a restart repeats what was deployed, whatever files say then.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_platform.definition.fingerprint import digest
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.job_source import JobSource
from feature_platform.tiles.layout import Layout

DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The `settings:` of a feature set that its job needs."""

    flush_interval_ms: int
    state_ttl_ms: int
    sql_state_ttl_ms: int
    checkpoint_interval_ms: int
    parallelism: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """What the job of a feature set computes."""

    featureset: str
    entity: str
    sql: str
    spark_sql: str
    sql_fingerprint: str
    data_fingerprint: str
    source: JobSource
    dead_letter_topic: str
    layout: Layout
    settings: JobSettings

    @property
    def sql_state_key(self) -> str:
        """What is in the uids of the SQL's operators: state of another query is never met.

        Nor is it where a column begins again under another id, or at more levels: the SQL would go
        on with a minute's maximum or last items, and what happened before would be in what counts
        from now on. Without state it begins with the next event.
        """
        columns = [
            [column.id, list(column.levels), column.lifetime] for column in self.layout.columns
        ]
        return digest([self.sql_fingerprint, columns])

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores."""
        return {
            "featureset": self.featureset,
            "entity": self.entity,
            "sql": self.sql,
            "spark_sql": self.spark_sql,
            "sql_fingerprint": self.sql_fingerprint,
            "data_fingerprint": self.data_fingerprint,
            "source": self.source.to_json(),
            "dead_letter_topic": self.dead_letter_topic,
            "layout": self.layout.to_json(),
            "settings": asdict(self.settings),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobDefinition":
        """Read what `to_json` wrote."""
        parts = {
            "source": JobSource.from_json(data["source"]),
            "layout": Layout.from_json(data["layout"]),
            "settings": JobSettings(**data["settings"]),
        }
        return cls(**{**data, **parts})


def dead_letter_topic(topic: str) -> str:
    """Return the topic of events that could not be read."""
    return f"{topic}.{DEAD_LETTERS}"


def job_definition(featureset: FeatureSet, layout: Layout) -> JobDefinition:
    """Return what the job of a feature set computes."""
    settings = featureset.settings
    source = JobSource.of(featureset.source, featureset.reads)
    return JobDefinition(
        featureset=featureset.name,
        entity=featureset.entity,
        sql=featureset.flink_sql,
        spark_sql=featureset.spark_sql,
        sql_fingerprint=featureset.sql_fingerprint,
        data_fingerprint=featureset.data_fingerprint,
        source=replace(source, sum_scales=dict(featureset.sum_scales)),
        dead_letter_topic=dead_letter_topic(featureset.source.topic),
        layout=layout,
        settings=JobSettings(
            flush_interval_ms=settings.flush_interval_ms,
            state_ttl_ms=settings.state_ttl_ms,
            sql_state_ttl_ms=settings.sql_state_ttl_ms,
            checkpoint_interval_ms=settings.checkpoint_interval_ms,
            parallelism=settings.parallelism,
        ),
    )
