"""What a trial has counted beside what is served: facts for --json, tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table

from feature_platform.cli.rows import describe_rows
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import FeatureClient
from feature_platform.serving.read_plan import served_names
from feature_platform.testing.clock import ManualClock

if TYPE_CHECKING:
    from feature_platform.deploy.trial import Trial
    from feature_platform.deploy.world import World
    from feature_platform.plan.snapshot import Snapshot

TILES_SHOWN_MAX = 8
"""Newest tiles of an entity that a person is shown; --json has all."""


def look(
    world: "World",
    trial: "Trial",
    deployed: "Snapshot | None",
    keys: Sequence[str],
    most: int,
) -> list[dict[str, Any]]:
    """Return for some entities what the trial and the deployed feature set say, as of one instant.

    Args:
        world: Where both are.
        trial: The trial.
        deployed: What is deployed; None if nothing is, or if it is about another entity.
        keys: The entities; without any, some that the trial has met.
        most: How many of those.
    """
    now_ms = world.clock.now_ms()
    keys = list(keys) or world.tiles.some_entities(trial.snapshot.table, most)
    new = _answers(world, trial.snapshot, keys, now_ms)
    old = _answers(world, deployed, keys, now_ms) if deployed else {}
    comparable = _comparable(trial, now_ms)
    found = []
    for key in keys:
        mine, theirs = new[key], old.get(key, {"status": None, "values": {}})
        names = list(dict.fromkeys([*mine["values"], *theirs["values"]]))
        values = {
            name: {
                "trial": mine["values"].get(name),
                "deployed": theirs["values"].get(name),
                "comparable": comparable.get(name, False) and name in theirs["values"],
            }
            for name in names
        }
        tiles = _tiles(world, trial.snapshot, deployed, key)
        status = {"trial": mine["status"], "deployed": theirs["status"]}
        found.append({"entity": key, "status": status, "values": values, "tiles": tiles})
    return found


def table_of(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Draw what `look` has found."""
    if not found:
        return "the trial has met no entity yet"
    values = Table("entity", "feature", "trial", "deployed", "")
    for item in found:
        for number, (name, value) in enumerate(item["values"].items()):
            values.add_row(
                item["entity"] if not number else "",
                name,
                _cell(value["trial"]),
                _cell(value["deployed"]),
                _remark(value),
            )
        values.add_section()
    tiles = Table("entity", "level", "start", "trial", "deployed")
    for item in found:
        for number, tile in enumerate(item["tiles"][-TILES_SHOWN_MAX:]):
            tiles.add_row(
                item["entity"] if not number else "",
                tile["level"],
                tile["start"],
                _joined(tile["trial"]),
                _joined(tile["deployed"]),
            )
        tiles.add_section()
    return Group(values, tiles)


def _answers(
    world: "World", snapshot: "Snapshot", keys: Sequence[str], now_ms: int
) -> dict[str, dict[str, Any]]:
    clock = ManualClock(now_ms)
    registry = MemoryRegistry(clock)
    name = snapshot.featureset.partition(".")[0]  # a dot would part a served name
    registry.save(replace(snapshot, featureset=name))
    client = FeatureClient(world.tiles, registry, clock=clock)
    answers = client.prepare(featureset=name).get(keys).to_dicts()
    return {answer["entity"]: answer for answer in answers}


def _comparable(trial: "Trial", now_ms: int) -> dict[str, bool]:
    """Tell of each name whether its window lies within what the trial has counted."""
    finest_ms = trial.snapshot.layout.grid.levels_ms[0]
    names = served_names(trial.snapshot)
    return {
        name: 0 < window_ms <= now_ms - trial.from_ms - finest_ms
        for name, (_, window_ms) in names.items()
    }


def _tiles(
    world: "World", trial: "Snapshot", deployed: "Snapshot | None", key: str
) -> list[dict[str, Any]]:
    """Return the trial's tiles, each beside the deployed one of the same level and start."""
    theirs: dict[tuple[str, str], Any] = {}
    if deployed:
        rows = describe_rows(deployed, world.tiles.read_entity(deployed.table, key))
        theirs = {(tile["level"], tile["start"]): tile["values"] for tile in rows}
    mine = describe_rows(trial, world.tiles.read_entity(trial.table, key))
    return [
        {
            "level": tile["level"],
            "start": tile["start"],
            "trial": tile["values"],
            "deployed": theirs.get((tile["level"], tile["start"])),
        }
        for tile in mine
    ]


def _remark(value: Mapping[str, Any]) -> str:
    if not value["comparable"]:
        return "reaches further back than the trial"
    return "same" if value["trial"] == value["deployed"] else "differs"


def _joined(values: Mapping[str, Any] | None) -> str:
    if values is None:
        return "-"
    return ", ".join(f"{name}={_cell(value)}" for name, value in values.items())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
