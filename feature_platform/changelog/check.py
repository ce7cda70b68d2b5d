"""Compares what logged commands add up to with the stored rows, byte for byte, as of a cut.

A barrier passes only when the commands before it are in the topic or counted as lost. So those of
the cut's lineage are what its rows hold, whatever the job does meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from feature_platform.changelog.olap import Olap
from feature_platform.changelog.sums import Commands, Since, tiles_of
from feature_platform.changelog.tables import literal, table_name
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference, compare, decoded, features_of
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import KnownRows, KnownTiles, known_tiles
from feature_platform.lineage.tile_values import name_tile, spell
from feature_platform.plan.snapshot import Snapshot
from feature_platform.store.base import TileKey
from feature_platform.words import counted

State = Literal["equal", "different", "not judged"]
DIFFERENCES_MAX = 20
"""Of one entity, which are named."""


class Rows(Protocol):
    """Reads rows as of a cut; `checks.judge.AsOf` does."""

    def read(self, entity: str) -> KnownRows | CorruptRowError:
        """Return an entity's rows, or why they cannot be read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was found of an entity."""

    entity: str
    state: State
    tiles: int = 0
    """That were compared."""
    why: str = ""
    """Why it was not judged."""
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """The tiles of an entity whose commands are all logged, as they add up to them."""

    tiles: Mapping[TileKey, bytes]
    since: Since
    from_ms: int
    """Tiles that start earlier are not covered, unless all commands are logged."""
    lifetime: int

    def covers(self, key: TileKey) -> bool:
        """Return whether all commands of a tile are logged."""
        level, start_ms = key
        return self.since.whole or (level != self.lifetime and start_ms >= self.from_ms)

    def covered(self, tiles: Mapping[TileKey, bytes]) -> dict[TileKey, bytes]:
        """Return those tiles of which all commands are logged."""
        return {key: payload for key, payload in tiles.items() if self.covers(key)}


def entities(olap: Olap, snapshot: Snapshot, most: int) -> list[str]:
    """Return some entities of which commands are loaded, by the hash of their keys."""
    table = table_name(snapshot.featureset, snapshot.generation)
    rows = olap.run(
        f"SELECT hex(entity) FROM (SELECT DISTINCT entity FROM {table} WHERE kind IN"
        f" ('+I', '+U', '-U', '-D')) ORDER BY cityHash64(entity) LIMIT {most}"
    )
    return [bytes.fromhex(row[0]).decode() for row in rows]


def has_commands(olap: Olap, snapshot: Snapshot) -> bool:
    """Return whether anything of the generation was loaded."""
    table = table_name(snapshot.featureset, snapshot.generation)
    return bool(
        olap.run(
            "SELECT 1 FROM system.tables WHERE database = currentDatabase()"
            f" AND name = {literal(table)}"
        )
    )


def summed(commands: Commands, snapshot: Snapshot, entity: str) -> Summed | None:
    """Return what an entity's commands add up to; None if they are not logged.

    Raises:
        OlapError: ClickHouse does not answer.
        CorruptRowError: A partial is malformed.
    """
    since = commands.since(entity)
    if since is None:
        return None
    layout = snapshot.layout
    found = Summed(
        tiles=tiles_of(layout, commands.sums(entity)),
        since=since,
        from_ms=since.at_ms + snapshot.max_future_ms,
        lifetime=layout.grid.lifetime_level,
    )
    return replace(found, tiles=found.covered(found.tiles))


def check(
    commands: Commands, snapshot: Snapshot, rows: Rows, scope: Scope, entity: str
) -> Compared:
    """Compare one entity: its tiles as of the cut with the sums of the commands up to it.

    Args:
        commands: Those of the cut's lineage; loaded after the cut was looked up.
        snapshot: What is deployed.
        rows: Reads rows as of the cut.
        scope: Which tiles last.
        entity: Whose.

    Raises:
        OlapError: ClickHouse does not answer.
        StoreUnavailableError: The store does not.
    """
    try:
        sums = summed(commands, snapshot, entity)
    except CorruptRowError as error:
        return Compared(entity=entity, state="different", differences=(f"its commands: {error}",))
    if sums is None:
        return Compared(entity=entity, state="not judged", why="its commands are not logged now")
    known = known_tiles(rows.read(entity))
    if isinstance(known, CorruptRowError):
        return Compared(entity=entity, state="different", differences=(f"its rows: {known}",))
    tiles = KnownTiles(tiles=sums.covered(known.tiles), unknown=known.unknown)
    readable, unreadable = decoded(entity, tiles.tiles, snapshot)
    number, found = compare(entity, tiles, readable, sums.tiles, scope)
    told = [*unreadable, *(_said(snapshot, each) for each in found)]
    if not number and not told:
        why = "none of its tiles began after its commands were logged, and is kept still"
        return Compared(entity=entity, state="not judged", why=why)
    return Compared(
        entity=entity,
        state="different" if told else "equal",
        tiles=number,
        differences=_cut(told),
    )


def _said(snapshot: Snapshot, each: Difference) -> str:
    return (
        f"{features_of(snapshot, each.column)}, {name_tile(snapshot.layout.grid, each.key)}: "
        f"stored {spell(each.stored)}, the commands add up to {spell(each.expected)}"
    )


def _cut(told: Sequence[str]) -> tuple[str, ...]:
    left = len(told) - DIFFERENCES_MAX
    more = [f"and {counted(left, 'difference')} more"] if left > 0 else []
    return (*told[:DIFFERENCES_MAX], *more)
