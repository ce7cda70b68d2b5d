"""Reads entities as of a cut and judges them; adds up what it finds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Protocol

from feature_platform.checks.clean import clean
from feature_platform.checks.counts import Counts
from feature_platform.checks.result import Findings
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference, compare, conservation, decoded
from feature_platform.clock import Clock
from feature_platform.deploy.repair import ENTITIES_MAX
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import (
    KnownRows,
    KnownTiles,
    Past,
    encoded_tiles,
    known_tiles,
    rows_as_of,
)
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.history import History
from feature_platform.rows.codec import decode_each
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import RowKey
from feature_platform.store.base import UNDO_LEVEL, EntityReader, TileKey, TileReader, written_by

READS_AT_ONCE = 8
TRIES = 3
"""How often an entity that differs is read: a read may meet a write half way."""
DIFFERENCES_MAX = 20
"""Differences that are kept; all are counted."""


Read = KnownRows | CorruptRowError


class Reader(TileReader, EntityReader, Protocol):
    """Reads entities, and finds those that nobody named."""


@dataclass(slots=True, kw_only=True)
class AsOf:
    """Rows of a generation's table as they were at a cut (mutable: attempts may be added)."""

    tiles: Reader
    table: str
    known_attempts: Callable[[], Sequence[Attempt]]
    """Reads the registry: a job that starts meanwhile writes as one that was not known before."""
    attempts: Sequence[Attempt]
    line: History
    cut: Cut
    clock: Clock
    undo_until_ms: int
    """After this, undo rows that say what rows were at the cut may have expired."""
    past: Past = field(init=False)
    """The same line, with all attempts that are known."""

    def __post_init__(self) -> None:
        """Begin with the attempts that are known."""
        self.past = Past(self.attempts, self.line)

    def read(self, entity: str) -> KnownRows | CorruptRowError:
        """Return an entity's rows, or why they cannot be read.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        stored = self.tiles.read_entity(self.table, entity)
        writers = (written_by(row.written)[0] for row in stored if row.level != UNDO_LEVEL)
        if max(writers, default=0) > self.attempts[-1].attempt:
            self.attempts = self.known_attempts()
            self.past = Past(self.attempts, self.line)
        try:
            return rows_as_of(self.past, stored, undo_gone=self.undo_gone)
        except CorruptRowError as error:
            return error

    @property
    def undo_gone(self) -> bool:
        """Whether undo rows may have expired by now."""
        return self.clock.now_ms() > self.undo_until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityVerdict:
    """What was found of one entity."""

    counted: Mapping[TileKey, Row] = field(default_factory=dict)
    """Tiles whose events are added up: the stored ones, and the expected ones where nobody knows
    what was stored."""
    left_out: int = 0
    """Rows of which nobody knows any more what they were."""
    rows: int = 0
    """Stored tiles that can be read."""
    compared: int = 0
    sums: int = 0
    unreadable: Sequence[str] = ()
    unconserved: Sequence[str] = ()
    differences: Sequence[Difference] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.unreadable or self.unconserved or self.differences)


class Judge:
    """Adds up what it finds of entities (mutable)."""

    def __init__(self, rows: AsOf, scope: Scope, differences_max: int = DIFFERENCES_MAX) -> None:
        """Begin with none."""
        self._rows = rows
        self._differences_max = differences_max
        self.scope = scope
        """Its present goes along: a tile is judged only if it lasts after it was read."""
        self.counts = Counts(scope.snapshot)
        self.seen: set[str] = set()
        self.tiles, self.sums, self.rows, self.left_out = 0, 0, 0, 0
        self.unreadable, self.unconserved = Findings(), Findings()
        self.differences: list[Difference] = []
        self.different = 0
        self.wrong: list[str] = []

    def judge(self, batches: Iterable[Mapping[str, Mapping[RowKey, bytes]]]) -> Iterator[None]:
        """Compare entities with the rows that were recomputed of them; yields after each batch.

        The next batch is read while one is judged.
        """
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            begun = (
                (batch, [pool.submit(self._rows.read, entity) for entity in batch])
                for batch in batches
            )
            for (recomputed, reads), _ in pairwise(chain(begun, [({}, [])])):
                self._judge(recomputed, reads)
                yield

    def _judge(
        self, recomputed: Mapping[str, Mapping[RowKey, bytes]], reads: Sequence[Future[Read]]
    ) -> None:
        found = zip(recomputed, (read.result() for read in reads), strict=True)
        stored = _tiles_of_each(dict(found))
        split = encoded_tiles(list(recomputed.values()))
        expected = dict(zip(recomputed, split, strict=True))
        left = self._without_clean(stored, expected)
        for entity, tiles in left.items():
            self._add(entity, self._settled(entity, tiles, expected[entity]))

    def _without_clean(
        self,
        stored: Mapping[str, KnownTiles | CorruptRowError],
        expected: Mapping[str, Mapping[TileKey, bytes]],
    ) -> dict[str, KnownTiles | CorruptRowError]:
        """Take in the entities in which nothing is wrong; return the others."""
        self.scope = self.scope.at(self._rows.clock.now_ms())
        known = {
            entity: tiles.tiles
            for entity, tiles in stored.items()
            if isinstance(tiles, KnownTiles) and not tiles.unknown
        }
        if not known:
            return dict(stored)
        recounted = [expected[entity] for entity in known]
        found = clean(list(known.values()), recounted, self.scope, self.counts)
        done = {entity for place, entity in enumerate(known) if place in found.entities}
        self.seen |= done
        self.rows += found.rows
        self.tiles += found.compared
        self.sums += found.sums
        return {entity: tiles for entity, tiles in stored.items() if entity not in done}

    def _settled(
        self, entity: str, stored: KnownTiles | CorruptRowError, expected: Mapping[TileKey, bytes]
    ) -> EntityVerdict:
        """Judge an entity; what is not clean is read again, whether it stays so."""
        verdict = self._verdict(entity, stored, expected)
        for _ in range(TRIES - 1):
            if verdict.is_clean:
                break
            verdict = self._verdict(entity, known_tiles(self._rows.read(entity)), expected)
        return verdict

    def _verdict(
        self, entity: str, stored: KnownTiles | CorruptRowError, expected: Mapping[TileKey, bytes]
    ) -> EntityVerdict:
        self.scope = self.scope.at(self._rows.clock.now_ms())
        if isinstance(stored, CorruptRowError):
            return EntityVerdict(unreadable=[f"entity {entity!r}: {stored}"])
        tiles, unreadable = decoded(entity, stored.tiles, self.scope.snapshot)
        compared, differences = compare(entity, stored, tiles, expected, self.scope)
        whole = not stored.unknown
        sums, unconserved = conservation(entity, tiles, self.scope) if whole else (0, [])
        return EntityVerdict(
            counted=tiles | _instead(stored, expected),
            left_out=len(stored.unknown),
            rows=len(tiles),
            compared=compared,
            sums=sums,
            unreadable=unreadable,
            unconserved=unconserved,
            differences=differences,
        )

    def _add(self, entity: str, verdict: EntityVerdict) -> None:
        self.seen.add(entity)
        self.counts.add(verdict.counted)
        self.left_out += verdict.left_out
        self.rows += verdict.rows
        self.tiles += verdict.compared
        self.sums += verdict.sums
        self.unreadable.add(verdict.unreadable)
        self.unconserved.add(verdict.unconserved)
        self.different += len(verdict.differences)
        if not verdict.is_clean and len(self.wrong) <= ENTITIES_MAX:
            self.wrong.append(entity)
        self.differences += verdict.differences[: self._differences_max - len(self.differences)]


def _tiles_of_each(stored: Mapping[str, Read]) -> dict[str, KnownTiles | CorruptRowError]:
    """Split heads, all at once; one by one if one cannot be read."""
    known = {entity: rows for entity, rows in stored.items() if isinstance(rows, KnownRows)}
    failed = {entity: rows for entity, rows in stored.items() if isinstance(rows, CorruptRowError)}
    try:
        tiles = encoded_tiles([rows.rows for rows in known.values()])
    except CorruptRowError:
        return {entity: known_tiles(rows) for entity, rows in stored.items()}
    return failed | {
        entity: KnownTiles(tiles=each, unknown=rows.unknown)
        for (entity, rows), each in zip(known.items(), tiles, strict=True)
    }


def _instead(stored: KnownTiles, expected: Mapping[TileKey, bytes]) -> dict[TileKey, Row]:
    """Return the expected tiles where it is not known what was stored."""
    keys = [key for key in expected if not stored.knows(key)]
    return dict(zip(keys, decode_each([expected[key] for key in keys]), strict=True))
