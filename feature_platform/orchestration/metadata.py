"""What the Dagster UI shows about definitions, deployments and jobs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import yaml

from feature_platform.checks.result import CHECKS, CheckReport, CheckResult
from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.fingerprint import digest
from feature_platform.definition.model import FeatureSet, Source
from feature_platform.engines.spark import Archived
from feature_platform.errors import Problem
from feature_platform.match.report import MatchReport
from feature_platform.monitor.health import Health
from feature_platform.orchestration.resources import Deployment
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.grid import format_duration
from feature_platform.training import TrainingSet

Metadata = Mapping[str, dg.MetadataValue]
PROBLEMS_MAX = 100
"""How many mistakes of a file are shown."""

_TYPES = {bool: "bool", int: "int"}
_WARN = dg.AssetCheckSeverity.WARN


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
    return f"{featureset.description}\n\n{fenced(featureset.sql.strip(), 'sql')}"


def definition(featureset: FeatureSet, origin: str) -> Metadata:
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
        "origin": dg.MetadataValue.text(origin),
        "owner": dg.MetadataValue.text(featureset.owner),
        "fingerprint": dg.MetadataValue.text(featureset.data_fingerprint),
    }


def feature_list(listed: FeatureList) -> Metadata:
    """Describe the columns of a list's answer."""
    columns = [dg.TableColumn(each.column, description=each.name) for each in listed.features]
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "version": dg.MetadataValue.int(listed.version),
        "owner": dg.MetadataValue.text(listed.owner),
        "file": dg.MetadataValue.text(listed.file),
    }


def deployed(done: Deployment) -> Metadata:
    """Describe a deployment that is done."""
    snapshot = done.snapshot
    origin = {"origin": dg.MetadataValue.text(done.origin)} if done.origin else {}
    return {
        **origin,
        "plan": dg.MetadataValue.md(fenced(done.plan)),
        "job": dg.MetadataValue.url(f"{done.flink_url}/#/job/running/{snapshot.job_id}/overview"),
        "attempt": dg.MetadataValue.int(done.attempt),
        "generation": dg.MetadataValue.int(snapshot.generation),
        "fingerprint": dg.MetadataValue.text(snapshot.data_fingerprint),
        "served": _served(snapshot),
        "definition": dg.MetadataValue.md(fenced(_as_yaml(snapshot.definition).strip(), "yaml")),
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
        **{f"history_{name}": dg.MetadataValue.int(each) for name, each in done.history.items()},
    }


def served(done: Archived | None) -> Metadata:
    """Describe a feature log after a run; None: nothing was ever logged."""
    if done is None:
        return {"logged": dg.MetadataValue.text("nothing: no client has logged this list")}
    return {**archived(done), "dead_letters": dg.MetadataValue.int(done.dead_letters)}


def training_set(made: TrainingSet) -> Metadata:
    """Describe a training set: where it is, its rows, what it was made from, how long it took."""
    manifest = made.manifest
    counts = {**manifest.status}
    if manifest.labels is not None:
        counts |= {f"label {status}": rows for status, rows in manifest.labels.status.items()}
    seconds = [
        dg.TableRecord({"step": step, "seconds": each}) for step, each in manifest.seconds.items()
    ]
    prints = {each.featureset: each.data_fingerprint for each in manifest.featuresets}
    if manifest.labels is not None:
        prints[f"labels of {manifest.labels.source}"] = manifest.labels.fingerprint
    return {
        "folder": dg.MetadataValue.path(made.folder),
        "dagster/row_count": dg.MetadataValue.int(manifest.rows),
        "features": dg.MetadataValue.int(len(manifest.features)),
        "list": dg.MetadataValue.text(f"{manifest.list} version {manifest.list_version}"),
        "statuses": _table(
            [dg.TableRecord({"status": name, "rows": rows}) for name, rows in counts.items()],
            "status",
            "rows",
        ),
        "seconds": _table(seconds, "step", "seconds"),
        "total_seconds": dg.MetadataValue.float(round(sum(manifest.seconds.values()), 1)),
        "fingerprints": dg.MetadataValue.json(prints),
        "fingerprint": dg.MetadataValue.text(digest([manifest.as_of, prints])),
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


def broken(problems: Sequence[Problem]) -> str:
    """Describe a file that does not load."""
    return f"This file does not load:\n\n{fenced(_listed(problems))}"


def check_of(problems: Sequence[Problem]) -> dg.AssetCheckResult:
    """Return the verdict on a file: red with its mistakes, or green."""
    text = _listed(problems)
    return dg.AssetCheckResult(
        passed=not problems,
        description=text or "The file is valid now: reload the code location to see its asset.",
        metadata={"problems": dg.MetadataValue.md(fenced(text))} if problems else {},
    )


def check_result(result: CheckResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return one check's verdict: what was compared, what is wrong, and what to run next.

    Green is what was compared and is equal; what could not be judged is a warning, and not red.
    """
    lines = [result.summary, *(f"* {text}" for text in result.findings)]
    if result.found > len(result.findings):
        lines.append(f"* and {result.found - len(result.findings):,} more")
    if result.next_step:
        lines.append(f"\nNext: `{result.next_step}`")
    return dg.AssetCheckResult(
        passed=result.status == "green",
        severity=dg.AssetCheckSeverity.ERROR if result.status == "red" else _WARN,
        asset_key=asset,
        check_name=result.check,
        description=f"{result.status}: {result.summary}",
        metadata={"status": result.status, "found": result.found, "report": _text(lines)},
    )


def match_rates(found: MatchReport) -> Metadata:
    """Return numbers that Dagster plots over time: of each feature, and of all together."""
    rates = {
        f"{what}/{name}": dg.MetadataValue.float(share)
        for name, rate in found.rates.items()
        for what, share in (("equal", rate.equal), ("matched", rate.matched))
    }
    return {
        "rows": dg.MetadataValue.int(found.rows),
        "different": dg.MetadataValue.int(found.result.found),
        **rates,
    }


def match_result(found: MatchReport, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return the verdict on what was served from a list, with the rates of its features."""
    made = check_result(found.result, asset)
    explained = [f"* {text}" for text in found.explained] or ["nothing had to be explained"]
    return made._replace(
        metadata={**made.metadata, **match_rates(found), "explained": _text(explained)}
    )


def unchecked(name: str, why: str) -> CheckReport:
    """Return checks of which none could be made."""
    return CheckReport(
        results=tuple(
            CheckResult(featureset=name, check=check, status="skipped", summary=why)
            for check in CHECKS
        )
    )


def checked(found: CheckReport) -> Metadata:
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
        "checks": _table(records, "check", "status", "summary", "wrong"),
        "wrong_entities": dg.MetadataValue.int(len(found.wrong)),
        "findings": _text(findings or ["nothing wrong"]),
    }


def fenced(text: str, language: str = "") -> str:
    """Show a text as it is, whatever fences it holds itself."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _listed(problems: Sequence[Problem]) -> str:
    """Write mistakes one a line, the first of very many."""
    left = len(problems) - PROBLEMS_MAX
    more = [f"and {left:,} more"] if left > 0 else []
    return "\n".join([*map(str, problems[:PROBLEMS_MAX]), *more])


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
    return _table(records, "feature", "aggregate", "windows", "lifetime", "type")


def _table(records: Sequence[dg.TableRecord], *columns: str) -> dg.TableMetadataValue:
    """Return a table that may be empty."""
    shown = [
        dg.TableColumn(name, type=_TYPES.get(type(records[0].data[name]), "string"))
        if records
        else dg.TableColumn(name)
        for name in columns
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(shown))


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
