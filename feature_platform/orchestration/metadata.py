"""What the Dagster UI shows about definitions, deployments and jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import yaml

from feature_platform.checks.result import Checked, CheckResult
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.deploy.spark import Archived
from feature_platform.errors import Problem
from feature_platform.orchestration.health import Health
from feature_platform.orchestration.resources import Deployment
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.grid import format_duration

Metadata = Mapping[str, dg.MetadataValue]


def source(source: Source) -> Metadata:
    """Describe a topic's columns."""
    columns = [
        dg.TableColumn(name, type=str(kind), description=_time_note(source, name))
        for name, kind in source.columns
    ]
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "topic": dg.MetadataValue.text(source.topic),
    }


def description(featureset: FeatureSet) -> str:
    """Write the description and the query as Markdown."""
    return f"{featureset.description}\n\n```sql\n{featureset.sql.strip()}\n```"


def definition(featureset: FeatureSet) -> Metadata:
    """Describe what is served and what it is computed from."""
    served = [
        dg.TableColumn(name, type=feature.aggregate, description=feature.description or None)
        for feature in featureset.features
        for name in feature.served_names
    ]
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(served)),
        "entity": dg.MetadataValue.text(featureset.entity),
        "file": dg.MetadataValue.text(featureset.file),
        "fingerprint": dg.MetadataValue.text(featureset.data_fingerprint),
    }


def deployed(done: Deployment) -> Metadata:
    """Describe a deployment that is done."""
    snapshot = done.snapshot
    return {
        "plan": dg.MetadataValue.md(f"```\n{done.plan}\n```"),
        "job": dg.MetadataValue.url(f"{done.flink_url}/#/job/running/{snapshot.job_id}/overview"),
        "attempt": dg.MetadataValue.int(done.attempt),
        "generation": dg.MetadataValue.int(snapshot.generation),
        "fingerprint": dg.MetadataValue.text(snapshot.data_fingerprint),
        "served": _served(snapshot),
        "definition": dg.MetadataValue.md(f"```yaml\n{_as_yaml(snapshot.definition)}```"),
    }


def archived(done: Archived) -> Metadata:
    """Describe an event log after a run."""
    rows = [
        dg.TableRecord({"partition": name, "archived_to": end})
        for name, end in done.positions.items()
    ]
    schema = dg.TableSchema(
        [dg.TableColumn("partition"), dg.TableColumn("archived_to", type="int")]
    )
    return {
        "added": dg.MetadataValue.int(done.added),
        "records": dg.MetadataValue.int(done.records),
        "files": dg.MetadataValue.int(done.files),
        "bytes": dg.MetadataValue.int(done.bytes),
        "offsets": dg.MetadataValue.table(records=rows, schema=schema),
    }


def live(health: Health, *, events_per_second: float, rows_per_second: float) -> Metadata:
    """Describe a running job in numbers, which the UI plots over time."""
    values: dict[str, dg.MetadataValue] = {
        "job_state": dg.MetadataValue.text(health.job_state),
        "attempt": dg.MetadataValue.int(health.attempt),
        "events_per_second": dg.MetadataValue.float(round(events_per_second, 1)),
        "rows_per_second": dg.MetadataValue.float(round(rows_per_second, 1)),
        "dead_letters": dg.MetadataValue.int(sum(health.dead_letters.values())),
        "restarts": dg.MetadataValue.int(health.restarts),
    }
    if health.lag is not None:
        values["lag"] = dg.MetadataValue.int(health.lag)
    if health.cut:
        values["last_cut"] = dg.MetadataValue.timestamp(health.cut.recorded_ms / 1000)
    if health.alert:
        values["alert"] = dg.MetadataValue.text(health.alert)
    if health.last_failure:
        values["last_failure"] = dg.MetadataValue.text(health.last_failure)
    if health.refused:
        values["refused_jobs"] = dg.MetadataValue.json(dict(health.refused))
    told = health.metrics.to_json()
    return values | {
        name: dg.MetadataValue.float(float(value))
        for name, value in told.items()
        if value is not None and name not in values
    }


def check_of(problems: Sequence[Problem]) -> dg.AssetCheckResult:
    """Return the verdict on a file: red with its mistakes, or green."""
    text = "\n".join(str(problem) for problem in problems)
    return dg.AssetCheckResult(
        passed=not problems,
        description=text or "The file is valid now: reload the code location to see its asset.",
        metadata={"problems": dg.MetadataValue.md(f"```\n{text}\n```")} if problems else {},
    )


def check_result(result: CheckResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return one check's verdict: what was compared, what is wrong, and what to run next."""
    lines = [result.summary, *(f"* {text}" for text in result.findings)]
    if result.found > len(result.findings):
        lines.append(f"* and {result.found - len(result.findings):,} more")
    if result.next_step:
        lines.append(f"\nNext: `{result.next_step}`")
    return dg.AssetCheckResult(
        passed=result.status != "red",
        asset_key=asset,
        check_name=result.check,
        description=f"{result.status}: {result.summary}",
        metadata={"status": result.status, "found": result.found, "report": _text(lines)},
    )


def checked(found: Checked) -> Metadata:
    """Describe what a recomputation of tiles has found."""
    records = [
        dg.TableRecord(
            {
                "check": result.check,
                "status": result.status,
                "summary": result.summary,
                "wrong": result.found,
            }
        )
        for result in found.results
    ]
    findings = [f"* {result.check}: {text}" for result in found.results for text in result.findings]
    return {
        "checks": dg.MetadataValue.table(records),
        "wrong_entities": dg.MetadataValue.int(len(found.wrong)),
        "findings": _text(findings or ["nothing is wrong"]),
    }


def _text(lines: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(lines))


def _served(snapshot: Snapshot) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "feature": feature.name,
                "aggregate": feature.aggregate,
                "windows": ", ".join(format_duration(window) for window in feature.windows_ms),
                "lifetime": feature.lifetime or feature.latest,
                "type": feature.value_type,
            }
        )
        for feature in snapshot.features
    ]
    return dg.MetadataValue.table(records)


class _Dumper(yaml.SafeDumper):
    """Writes SQL as lines, and keys in the order of the file."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def _as_yaml(definition: Mapping[str, Any]) -> str:
    return yaml.dump(definition, Dumper=_Dumper, sort_keys=False)


def _time_note(source: Source, column: str) -> str | None:
    return "event time" if column == source.event_time else None
