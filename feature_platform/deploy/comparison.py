"""The comparison of generations: what means the same in old and new is the same, byte for byte.

Both are compared as they were at the backfill end offsets, which are a cut of the old generation,
however far their jobs have counted since. Once undo rows may have expired, only what was not
written since is compared; if that is nothing, a person must decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from feature_platform.clock import to_iso
from feature_platform.deploy.start import age_limit_ms
from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError
from feature_platform.lineage.as_of import KnownTiles, Past, tiles_as_of
from feature_platform.lineage.attempts import BACKFILL, dirty_since_ms
from feature_platform.lineage.tile_values import Held, differing, values_of
from feature_platform.plan.expected import Expected
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.claim import FIRST_CHECKPOINT_ID
from feature_platform.registry.history import history
from feature_platform.report import Report
from feature_platform.rows.codec import decode_each
from feature_platform.store.base import TileKey
from feature_platform.store.schema import CUT_TTL_S
from feature_platform.tiles.layout import LayoutColumn
from feature_platform.words import counted, verb

ENTITIES_MAX = 1_000
"""How many are compared: those that the store names first, so the same ones each time."""
DIFFERENCES_MAX = 20
CUTS_MAX = 100_000
NOTHING = (
    "no tile is kept in both generations that is certain to have all its events: nothing to compare"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison has found."""

    columns: tuple[str, ...]
    """What was compared."""
    entities: int
    left_out: int
    """Entities with rows of which it is not known any more what they were."""
    tiles: int
    differences: tuple[str, ...]
    """The first of them, in words."""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, and something could be compared if there was anything."""
        return not self.differences and bool(self.tiles or not self.left_out)

    @property
    def compared(self) -> str:
        """What was compared, in words."""
        of = counted(self.entities, "entity")
        return f"{', '.join(self.columns)}: {counted(self.tiles, 'tile')} of {of}"

    @property
    def not_all(self) -> str:
        """Say of how many entities not all was compared; empty if of none."""
        if not self.left_out:
            return ""
        return (
            f" ({counted(self.left_out, 'entity')} only in part, because undo rows of later writes "
            "may have expired)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    snapshot: Snapshot
    expected: Expected
    past: Past
    """The history of the cut as of which it is read."""
    undo_until_ms: int
    """After this, undo rows that say what rows were at the cut may have expired."""

    @classmethod
    def of(cls, reads: Reads, snapshot: Snapshot, cut: Cut) -> "_Side":
        """Work it out once for all entities."""
        attempts = reads.registry.attempts(snapshot.featureset, snapshot.generation)
        return cls(
            snapshot=snapshot,
            expected=Expected.of(snapshot),
            past=Past(attempts, history(attempts, *cut.epoch)),
            undo_until_ms=dirty_since_ms(cut, attempts)
            + age_limit_ms(reads.settings.store.undo_ttl_ms),
        )

    def whole(self, key: TileKey, now_ms: int) -> set[str]:
        """Return the names of the columns of which a tile is certain to hold all events."""
        return {column.name for column in self.expected.columns(*key, now_ms)}


def same_columns(old: Snapshot, new: Snapshot) -> tuple[LayoutColumn, ...]:
    """Return the columns of features that mean the same in both.

    Each with the levels that both keep; none where the tiles themselves are others, or hold the
    events of another history.
    """
    if (old.entity, old.layout.grid) != (new.entity, new.layout.grid):
        return ()
    if not new.job.source.continues_history_of(old.job.source):
        return ()
    before = {column.name: column for column in old.layout.columns}
    meanings = {feature.name: feature.meaning for feature in old.features}
    return tuple(
        replace(
            column,
            levels=tuple(level for level in column.levels if level in before[name].levels),
            lifetime=column.lifetime and before[name].lifetime,
        )
        for feature in new.features
        if meanings.get(feature.name) == feature.meaning
        for name in feature.columns
        for column in (new.layout.column(name),)
        if name in before and before[name].id == column.id
    )


def compare_generations(
    reads: Reads, old: Snapshot, new: Snapshot, report: Report, *, accept_differences: bool
) -> None:
    """Return if a backfilled generation agrees with the one before, as far as that is known.

    Args:
        reads: Whose rows.
        old: What is deployed.
        new: What is going to be.
        report: Called with what was compared, or why nothing could be.
        accept_differences: Report them, or that nothing is known, and return anyway.

    Raises:
        JobFailedError: They differ, and the message names features, entities, tiles and both
            values; or it is not known any more.
        CorruptRowError: A row cannot be read.
        StoreUnavailableError: The store did not answer.
    """
    columns = same_columns(old, new)
    if not columns:
        report("no feature has the same definition in both generations: nothing to compare")
        return
    attempts = reads.registry.attempts(new.featureset, new.generation)
    filled = next(item for item in attempts if item.kind == BACKFILL)
    before = _before(reads, old, filled)
    if before is None and reads.clock.now_ms() - filled.claimed_ms <= CUT_TTL_S * 1000:
        report("the old generation has no cut at the backfill's end offsets: nothing to compare")
        return
    found = _compare(reads, old, new, columns, before, filled) if before else None
    if found and found.agrees:
        same = verb(found.tiles, "is", "are")
        said = f"{found.compared} {same} equal in both generations{found.not_all}"
        report(said if found.tiles else NOTHING)
        return
    msg = _differs(old, new, found) if found and found.differences else _unknown(old, new, filled)
    if not accept_differences:
        raise JobFailedError(msg)
    report(msg)


def _compare(
    reads: Reads,
    old: Snapshot,
    new: Snapshot,
    columns: Sequence[LayoutColumn],
    before: Cut,
    filled: Attempt,
) -> Comparison:
    """Compare some entities' tiles as of the backfill.

    Args:
        reads: Whose rows.
        old: What is deployed.
        new: What is going to be.
        columns: What to compare, of the new layout.
        before: The old generation's cut at the backfill end offsets.
        filled: The backfill.

    Raises:
        CorruptRowError: A row cannot be read.
        StoreUnavailableError: The store did not answer.
    """
    end = reads.registry.cut(
        new.featureset, new.generation, filled.attempt, FIRST_CHECKPOINT_ID
    ) or Cut(
        attempt=filled.attempt,
        checkpoint_id=FIRST_CHECKPOINT_ID,
        positions=filled.end_offsets,
        recorded_ms=filled.claimed_ms,
    )
    sides = (_Side.of(reads, old, before), _Side.of(reads, new, end))
    entities, left_out, tiles, differences = 0, 0, 0, list[str]()
    for entity in reads.tiles.some_entities(old.table, ENTITIES_MAX):
        known = [_known(reads, side, entity) for side in sides]
        left, right = (
            _values(side, each, columns) for side, each in zip(sides, known, strict=True)
        )
        judged = _judged(sides, known, left.keys() | right.keys(), columns, reads.clock.now_ms())
        is_whole = not any(each.unknown for each in known)
        entities += is_whole or bool(judged)
        left_out += not is_whole
        tiles += len(judged)
        for key in sorted(judged):
            was, now = (_only(judged[key], side.get(key, {})) for side in (left, right))
            differences += differing(entity, key, was, now, new.layout.grid)
    return Comparison(
        columns=tuple(column.name for column in columns),
        entities=entities,
        left_out=left_out,
        tiles=tiles,
        differences=tuple(differences[:DIFFERENCES_MAX]),
    )


def _judged(
    sides: tuple[_Side, _Side],
    known: Sequence[KnownTiles],
    keys: Iterable[TileKey],
    columns: Sequence[LayoutColumn],
    now_ms: int,
) -> dict[TileKey, set[str]]:
    """Return the tiles that both sides must hold, with the columns that are whole in both."""
    old, new = sides
    names = {column.name for column in columns}
    found = {
        key: old.whole(key, now_ms) & new.whole(key, now_ms) & names
        for key in keys
        if all(each.knows(key) for each in known)
    }
    return {key: judged for key, judged in found.items() if judged}


def _only(names: set[str], held: Held) -> Held:
    return {name: value for name, value in held.items() if name in names}


def _before(reads: Reads, old: Snapshot, filled: Attempt) -> Cut | None:
    """Return the old generation's cut where a backfill ends; None if it has none."""
    cuts = islice(reads.registry.cuts(old.featureset, old.generation), CUTS_MAX)
    return next((cut for cut in cuts if cut.positions == filled.end_offsets), None)


def _known(reads: Reads, side: _Side, entity: str) -> KnownTiles:
    """Return what is known of an entity as of a side's cut."""
    stored = reads.tiles.read_entity(side.snapshot.table, entity)
    undo_gone = reads.clock.now_ms() > side.undo_until_ms
    return tiles_as_of(side.past, stored, undo_gone=undo_gone)


def _values(
    side: _Side, known: KnownTiles, columns: Sequence[LayoutColumn]
) -> Mapping[TileKey, Mapping[str, int | bytes]]:
    """Return what tiles hold of the columns."""
    lifetime = side.snapshot.layout.grid.lifetime_level
    rows = zip(known.tiles, decode_each(list(known.tiles.values())), strict=True)
    return {
        key: values for key, row in rows if (values := values_of(row, columns, key[0], lifetime))
    }


def _differs(old: Snapshot, new: Snapshot, found: Comparison) -> str:
    return (
        f"generation {new.generation} differs from generation {old.generation} in shared columns, "
        f"as of the backfill's end offsets. Compared: {found.compared}{found.not_all}. "
        f"Differences: {'; '.join(found.differences)}. If the old rows are the wrong ones: fp "
        f"apply {new.featureset} --accept-differences"
    )


def _unknown(old: Snapshot, new: Snapshot, filled: Attempt) -> str:
    return (
        f"generation {new.generation} cannot be compared with generation {old.generation}: the "
        f"backfill started at {to_iso(filled.claimed_ms)}, and the undo rows of all rows examined "
        f"have expired. To switch without a comparison: fp apply {new.featureset} "
        "--accept-differences"
    )
