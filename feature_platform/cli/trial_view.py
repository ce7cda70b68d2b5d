"""What a trial has counted beside what is served: facts for --json, tables for people."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table

from feature_platform.cli.output import cell, one_line, table
from feature_platform.cli.rows import describe_rows
from feature_platform.clock import to_iso
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import FeatureClient
from feature_platform.serving.read_plan import served_names
from feature_platform.testing.clock import ManualClock
from feature_platform.words import counted, names_of, verb

if TYPE_CHECKING:
    from feature_platform.deploy.trial import Trial
    from feature_platform.engines.reads import Reads
    from feature_platform.plan.snapshot import Snapshot

TILES_SHOWN_MAX = 8
"""Newest tiles of an entity that differ and that a person is shown; --json has all."""

FAR = "reach further back than the shadow run"
LIFETIMES = "are lifetimes, and the shadow run has only the past minutes"
PROPERTIES = "are properties, whose newest value may be older than the shadow run"
TRIAL_ALONE = "exist only in the shadow run"
DEPLOYED_ALONE = "exist only in the deployed version"
NOT_DEPLOYED = "have no deployed counterpart"
YOUNG = "started counting later in the deployed version"


def look(
    reads: "Reads",
    trial: "Trial",
    deployed: "Snapshot | None",
    keys: Sequence[str],
    most: int,
) -> list[dict[str, Any]]:
    """Return for some entities what the trial and the deployed feature set say, as of one instant.

    Args:
        reads: Where both are.
        trial: The trial.
        deployed: What is deployed; None if nothing is, or if it is about another entity.
        keys: The entities; without any, some that the trial has met.
        most: How many of those.
    """
    now_ms = reads.clock.now_ms()
    keys = list(keys) or reads.tiles.some_entities(trial.snapshot.table, most)
    new = _answers(reads, trial.snapshot, keys, now_ms)
    old = _answers(reads, deployed, keys, now_ms) if deployed else {}
    reasons = _reasons(trial, deployed, now_ms)
    found = []
    for key in keys:
        mine, theirs = new[key], old.get(key, {"status": None, "values": {}})
        names = list(dict.fromkeys([*mine["values"], *theirs["values"]]))
        values = {
            name: {
                "trial": mine["values"].get(name),
                "deployed": theirs["values"].get(name),
                "comparable": not reasons[name],
            }
            | ({"why": reasons[name]} if reasons[name] else {})
            for name in names
        }
        tiles = _tiles(reads, trial.snapshot, deployed, key)
        status = {"trial": mine["status"], "deployed": theirs["status"]}
        found.append({"entity": key, "status": status, "values": values, "tiles": tiles})
    return found


def table_of(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Draw what `look` has found; what is the same in both is folded into one line."""
    if not found:
        return "the shadow run has found no entity yet"
    values = table("entity", "feature", "trial", "deployed", "")
    for item in found:
        entity = one_line(item["entity"])
        for row in _value_rows(item["values"]):
            values.add_row(entity, *row)
            entity = ""
        values.add_section()
    tiles = table("entity", "level", "start", "trial", "deployed")
    for item in found:
        _add_tiles(tiles, item)
    return Group(values, tiles) if tiles.row_count else values


def _value_rows(values: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    same = []
    for name, value in values.items():
        if value["trial"] == value["deployed"]:
            same.append(name)
            continue
        remark = "differs" if value["comparable"] else "not compared"
        yield name, cell(value["trial"]), cell(value["deployed"]), remark
    if same:
        yield ", ".join(same), "", "", "same"


def _add_tiles(tiles: Table, item: Mapping[str, Any]) -> None:
    others = [tile for tile in item["tiles"] if tile["trial"] != tile["deployed"]]
    entity = one_line(item["entity"])
    for tile in others[-TILES_SHOWN_MAX:]:
        joined = (_joined(tile["trial"]), _joined(tile["deployed"]))
        tiles.add_row(entity, tile["level"], tile["start"], *joined)
        entity = ""
    left = len(others) - TILES_SHOWN_MAX
    same = len(item["tiles"]) - len(others)
    if left > 0 or same:
        more = f"{left:,} older {verb(left, 'one differs', 'ones differ')}, " if left > 0 else ""
        tiles.add_row(
            entity, "", "", f"{more}{counted(same, 'tile')} {verb(same, 'is', 'are')} the same", ""
        )
    tiles.add_section()


def count(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many values are equal, differ, and cannot be compared, and why."""
    pairs = [(name, value) for item in found for name, value in item["values"].items()]
    differing = Counter(
        name for name, value in pairs if value["comparable"] and value["trial"] != value["deployed"]
    )
    equal = sum(value["comparable"] and value["trial"] == value["deployed"] for _, value in pairs)
    incomparable: dict[str, dict[str, int]] = {}
    for name, value in pairs:
        if not value["comparable"]:
            names = incomparable.setdefault(value["why"], {})
            names[name] = names.get(name, 0) + 1
    return {
        "entities": len(found),
        "equal": equal,
        "differ": differing.total(),
        "not_comparable": len(pairs) - equal - differing.total(),
        "differing": dict(differing),
        "why": incomparable,
    }


def summary(counts: Mapping[str, Any]) -> list[str]:
    """Say in some lines what `count` counted."""
    equal, differ, other = (counts[key] for key in ("equal", "differ", "not_comparable"))
    total = (
        f"{counted(counts['entities'], 'entity')}: {counted(equal, 'value')} "
        f"{verb(equal, 'is', 'are')} equal, {differ:,} {verb(differ, 'differs', 'differ')}, "
        f"{other:,} cannot be compared"
    )
    lines = [total]
    lines += [
        f"  differs: {name}, for {counted(number, 'entity')}"
        for name, number in counts["differing"].items()
    ]
    lines += [
        f"  not compared: {sum(names.values()):,} that {why}: {names_of(list(names))}"
        for why, names in counts["why"].items()
    ]
    if FAR in counts["why"]:
        lines.append("  a larger --minutes makes longer windows comparable")
    return lines


def _answers(
    reads: "Reads", snapshot: "Snapshot", keys: Sequence[str], now_ms: int
) -> dict[str, dict[str, Any]]:
    clock = ManualClock(now_ms)
    registry = MemoryRegistry(clock)
    name = snapshot.featureset.partition(".")[0]  # a dot would part a served name
    registry.save(replace(snapshot, featureset=name))
    client = FeatureClient(reads.tiles, registry, clock=clock)
    answers = client.prepare(featureset=name).get(keys).to_dicts()
    return {answer["entity"]: answer for answer in answers}


def _reasons(trial: "Trial", deployed: "Snapshot | None", now_ms: int) -> dict[str, str]:
    """Say of each name why it cannot be compared; empty if it can."""
    grid = trial.snapshot.layout.grid
    reach_ms = now_ms - trial.from_ms - grid.levels_ms[0]
    mine = served_names(trial.snapshot)
    theirs = served_names(deployed) if deployed else {}
    found = dict.fromkeys(theirs, DEPLOYED_ALONE)
    for name, (feature, window_ms) in mine.items():
        if deployed is None:
            found[name] = NOT_DEPLOYED
        elif name not in theirs:
            found[name] = TRIAL_ALONE
        elif not window_ms:
            found[name] = PROPERTIES if feature.latest and name == feature.name else LIFETIMES
        elif window_ms > reach_ms:
            found[name] = FAR
        elif theirs[name][0].from_ms(name) > grid.floor(now_ms - window_ms, 0):
            found[name] = f"{YOUNG} ({to_iso(theirs[name][0].from_ms(name))})"
        else:
            found[name] = ""
    return found


def _tiles(
    reads: "Reads", trial: "Snapshot", deployed: "Snapshot | None", key: str
) -> list[dict[str, Any]]:
    """Return the trial's tiles, each beside the deployed one of the same level and start."""
    theirs: dict[tuple[str, str], Any] = {}
    if deployed:
        rows = describe_rows(deployed, reads.tiles.read_entity(deployed.table, key))
        theirs = {(tile["level"], tile["start"]): tile["values"] for tile in rows}
    mine = describe_rows(trial, reads.tiles.read_entity(trial.table, key))
    return [
        {
            "level": tile["level"],
            "start": tile["start"],
            "trial": tile["values"],
            "deployed": theirs.get((tile["level"], tile["start"])),
        }
        for tile in mine
    ]


def _joined(values: Mapping[str, Any] | None) -> str:
    if values is None:
        return "-"
    return ", ".join(f"{name}={cell(value)}" for name, value in values.items())
