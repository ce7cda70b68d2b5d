"""Parity of a new generation with the one before: what means the same is the same, byte for byte.

Both are compared as they were at the backfill's P, which is a cut of the old generation, however
far their jobs have gone since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from feature_platform.clock import to_iso
from feature_platform.deploy.as_of import tiles_as_of
from feature_platform.deploy.start import age_limit_ms
from feature_platform.deploy.tile_values import differing, lasts, values_of
from feature_platform.deploy.walk import BACKFILL, Report
from feature_platform.deploy.world import World
from feature_platform.errors import JobFailedError
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.registry.claim import FIRST_LABEL
from feature_platform.registry.history import History, history
from feature_platform.store.base import TileKey
from feature_platform.tiles.grid import format_duration
from feature_platform.tiles.layout import LayoutColumn

ENTITIES_MAX = 1_000
"""How many are compared: those that the store names first, so the same ones each time."""
DIFFERENCES_MAX = 20
CUTS_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What a comparison has found."""

    columns: tuple[str, ...]
    """What was compared."""
    entities: int
    tiles: int
    differences: tuple[str, ...]
    """The first of them, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    snapshot: Snapshot
    attempts: Sequence[Attempt]
    line: History
    """The history of the cut as of which it is read."""

    @classmethod
    def of(cls, world: World, snapshot: Snapshot, epoch: Epoch) -> "_Side":
        """Work it out once for all entities."""
        attempts = world.registry.attempts(snapshot.featureset, snapshot.generation)
        return cls(snapshot=snapshot, attempts=attempts, line=history(attempts, *epoch))


def same_columns(old: Snapshot, new: Snapshot) -> tuple[LayoutColumn, ...]:
    """Return the columns of features that both count alike from the first event on.

    Each with the levels that both keep; none where the tiles themselves are others.
    """
    if (old.entity, old.layout.grid) != (new.entity, new.layout.grid):
        return ()
    before = {column.name: column for column in old.layout.columns}
    known = {feature.name: feature for feature in old.features}
    return tuple(
        replace(
            column,
            levels=tuple(level for level in column.levels if level in before[name].levels),
            lifetime=column.lifetime and before[name].lifetime,
        )
        for feature in new.features
        if feature.name in known and _alike(known[feature.name], feature)
        for name in feature.columns
        for column in (new.layout.column(name),)
        if name in before and before[name].id == column.id
    )


def _alike(old: DeployedFeature, new: DeployedFeature) -> bool:
    return old.meaning == new.meaning and old.valid_from_ms == 0 and not old.added_ms


def check_parity(
    world: World, old: Snapshot, new: Snapshot, report: Report, *, accept_differences: bool
) -> None:
    """Return if a backfilled generation agrees with the one before, as far as one can still see.

    Args:
        world: Whose rows.
        old: What is deployed.
        new: What is going to be.
        report: Told what was compared, or why nothing could be.
        accept_differences: Report them, and return all the same.

    Raises:
        JobFailedError: They differ; the message names features, entities, tiles and both values.
        CorruptRowError: A row cannot be read.
        StoreUnavailableError: The store did not answer.
    """
    columns = same_columns(old, new)
    if not columns:
        report("no feature means the same in both: nothing to compare")
        return
    attempts = world.registry.attempts(new.featureset, new.generation)
    filled = next(item.attempt for item in attempts if item.kind == BACKFILL)
    epoch = (filled, FIRST_LABEL)
    before = _before(world, old, new, epoch)
    if before is None:
        report("the generation before has no cut where the backfill ended: nothing to compare")
        return
    if world.clock.now_ms() - before.recorded_ms > age_limit_ms(world.settings.store.undo_ttl_ms):
        report(
            f"the backfill ended at a cut of {to_iso(before.recorded_ms)}; what the rows of the "
            f"generation before were then can be told for "
            f"{format_duration(world.settings.store.undo_ttl_ms)} only: nothing to compare"
        )
        return
    found = compare_generations(world, old, new, columns, (before.epoch, epoch))
    what = f"{', '.join(found.columns)}: {found.tiles:,} tiles of {found.entities:,} entities"
    if not found.differences:
        report(f"{what} are the same in both")
        return
    msg = (
        f"generation {new.generation} differs from generation {old.generation} in what means the "
        f"same in both, as of the backfill. {what} were compared: {'; '.join(found.differences)}. "
        f"If the old rows are wrong: fp apply {new.featureset} --accept-differences"
    )
    if not accept_differences:
        raise JobFailedError(msg)
    report(msg)


def compare_generations(
    world: World,
    old: Snapshot,
    new: Snapshot,
    columns: Sequence[LayoutColumn],
    epochs: tuple[Epoch, Epoch],
) -> Parity:
    """Compare some entities' tiles as of the backfill.

    Args:
        world: Whose rows.
        old: What is deployed.
        new: What is going to be.
        columns: What to compare, of the new layout.
        epochs: That of the old generation's cut at P, and that of the backfill's.

    Raises:
        CorruptRowError: A row cannot be read.
        StoreUnavailableError: The store did not answer.
    """
    sides = (_Side.of(world, old, epochs[0]), _Side.of(world, new, epochs[1]))
    entities, tiles, differences = 0, 0, list[str]()
    now_ms = world.clock.now_ms()
    for entity in world.tiles.some_entities(old.table, ENTITIES_MAX):
        entities += 1
        left, right = (_tiles(world, side, entity, columns) for side in sides)
        keys = [
            key
            for key in left.keys() | right.keys()
            if all(lasts(side.snapshot.layout, key, now_ms) for side in sides)
        ]
        tiles += len(keys)
        for key in sorted(keys):
            differences += differing(
                entity, key, left.get(key, {}), right.get(key, {}), new.layout.grid
            )
    return Parity(
        columns=tuple(column.name for column in columns),
        entities=entities,
        tiles=tiles,
        differences=tuple(differences[:DIFFERENCES_MAX]),
    )


def _before(world: World, old: Snapshot, new: Snapshot, epoch: Epoch) -> Cut | None:
    """Return the old generation's cut at P, where a backfill's cut is; None if it has none."""
    filled = world.registry.cut(new.featureset, new.generation, *epoch)
    cuts = islice(world.registry.cuts(old.featureset, old.generation), CUTS_MAX)
    return next((cut for cut in cuts if filled and cut.positions == filled.positions), None)


def _tiles(
    world: World, side: _Side, entity: str, columns: Sequence[LayoutColumn]
) -> Mapping[TileKey, Mapping[str, int | bytes]]:
    """Return what an entity's tiles hold of the columns."""
    stored = world.tiles.read_entity(side.snapshot.table, entity)
    tiles = tiles_as_of(side.attempts, side.line, stored)
    lifetime = side.snapshot.layout.grid.lifetime_level
    return {
        key: values
        for key, row in tiles.items()
        if (values := values_of(row, columns, key[0], lifetime))
    }
