"""All facts about one feature set, for --json and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from feature_platform.cli.output import cell, one_line, output, say, table
from feature_platform.clock import to_iso
from feature_platform.definition.served import served_type
from feature_platform.plan.compare import Change
from feature_platform.plan.ids import assign_ids, column_keys
from feature_platform.plan.layout import build_layout
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.plan.target import blank, target_of
from feature_platform.serving.read_plan import served_names
from feature_platform.tiles.grid import format_duration

if TYPE_CHECKING:
    from feature_platform.cli.catalogue import Entry
    from feature_platform.definition.model import FeatureSet

FIRST_EVENT = "the first event"


def facts_of(entry: "Entry", *, defined: bool = False) -> dict[str, Any]:
    """Return everything that is known of a feature set.

    Args:
        entry: How it is defined and deployed.
        defined: Show the definition although another one is deployed.
    """
    live = None if defined and entry.defined else entry.deployed
    shown = live or _as_defined(entry.defined)
    mine = entry.defined
    described = live.definition if live else {}
    return {
        "featureset": entry.name,
        "shown": "deployed" if live else "defined",
        "state": entry.state,
        "changed": entry.changed,
        "file": mine.file if mine else None,
        "description": str(described.get("description") or (mine.description if mine else "")),
        "owner": str(described.get("owner") or (mine.owner if mine else "")),
        "entity": shown.entity,
        "source": shown.source,
        "topic": shown.topic,
        "served": [_served(live, *item) for item in _names(shown)],
        "sql": {
            "written": str(described.get("sql") or (mine.sql if mine else "")),
            "flink": shown.flink_sql,
            "spark": shown.job.spark_sql,
        },
        "levels": _levels(shown),
        "columns": _columns(shown, deployed=live is not None),
        "settings": _settings(shown),
        "deployed": _deployment(live) if live else None,
    }


def _as_defined(mine: "FeatureSet | None") -> Snapshot:
    """Return what would be deployed of a definition, if nothing were."""
    if mine is None:
        msg = "an entry is defined or deployed"
        raise ValueError(msg)
    layout = build_layout(mine, assign_ids((), column_keys(mine)))
    change = Change(kind="new", reasons=(), verdicts=())
    return target_of(mine, layout, change, blank(mine, 1))


def _names(shown: Snapshot) -> list[tuple[str, DeployedFeature, int]]:
    return [(name, *found) for name, found in served_names(shown).items()]


def _served(
    live: Snapshot | None, name: str, feature: DeployedFeature, window_ms: int
) -> dict[str, Any]:
    since_ms = feature.from_ms(name)
    window = "latest" if feature.latest and name == feature.name else "lifetime"
    return {
        "name": name,
        "type": served_type(feature.aggregate, feature.value_type),
        "aggregate": feature.aggregate,
        "window": format_duration(window_ms) if window_ms else window,
        "valid_from": to_iso(since_ms) if live and since_ms > 0 else None,
        "description": feature.description,
    }


def _levels(shown: Snapshot) -> list[dict[str, Any]]:
    layout = shown.layout
    return [
        {
            "level": layout.grid.level_name(level),
            "in_head": layout.grid.depth[level],
            "closed_tiles_kept": format_duration(layout.retention_ms[level])
            if layout.retention_ms[level]
            else None,
        }
        for level in layout.used_levels
    ]


def _columns(shown: Snapshot, *, deployed: bool) -> list[dict[str, Any]]:
    grid = shown.layout.grid
    return [
        {
            "id": column.id if deployed else None,
            "column": column.name,
            "kind": f"{column.kind}({column.n})" if column.n else column.kind,
            "levels": [grid.level_name(level) for level in column.levels],
            "lifetime": column.lifetime,
        }
        for column in shown.layout.columns
    ]


def _settings(shown: Snapshot) -> dict[str, Any]:
    return {
        name.removesuffix("_ms"): format_duration(value)
        if name.endswith("_ms") and value
        else value
        for name, value in asdict(shown.job.settings).items()
    }


def _deployment(live: Snapshot) -> dict[str, Any]:
    return {
        "since": to_iso(live.deployed_ms),
        "generation": live.generation,
        "table": live.table,
        "job_id": live.job_id,
        "deployment": live.deployment,
        "savepoint": live.savepoint or None,
    }


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print the facts of one feature set for people."""
    say(f"{facts['featureset']}: {facts['state']}; showing the {facts['shown']} version")
    for name in ("description", "owner", "entity", "source", "topic", "file"):
        say(f"  {name}: {one_line(str(facts[name] or '-'))}")
    for name, value in (facts["deployed"] or {}).items():
        say(f"  {name}: {one_line(str(value or '-'))}")
    say(f"  feature lists that use it: {', '.join(facts['lists']) or '-'}")
    say(f"  settings: {', '.join(f'{name} {value}' for name, value in facts['settings'].items())}")
    output.print(_served_table(facts["served"]))
    for name, text in facts["sql"].items():
        say(f"SQL as {name}:" if name == "written" else f"SQL for {name.capitalize()}:")
        say("\n".join(f"  {line}" for line in text.strip().splitlines()))
    output.print(_table_of(facts["levels"], "level", "in_head", "closed_tiles_kept"))
    output.print(_table_of(facts["columns"], "id", "column", "kind", "levels", "lifetime"))


def _served_table(served: Sequence[Mapping[str, Any]]) -> Table:
    found = table("served", "type", "aggregate", "window", "counts since", "description")
    for item in served:
        found.add_row(
            *(item["name"], item["type"], item["aggregate"], item["window"]),
            item["valid_from"] or FIRST_EVENT,
            one_line(item["description"]),
        )
    return found


def _table_of(rows: Sequence[Mapping[str, Any]], *names: str) -> Table:
    found = table(*(name.replace("_", " ") for name in names))
    for row in rows:
        found.add_row(*(_in_cell(row[name]) for name in names))
    return found


def _in_cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    return cell(" ".join(map(str, value)) if isinstance(value, list) else value)
