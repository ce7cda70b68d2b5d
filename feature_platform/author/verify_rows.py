"""Compares what an engine made of events with what the reference makes: rows, tiles, values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from feature_platform.clock import to_iso
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import encoded_tiles
from feature_platform.lineage.tile_values import name_tile, spell, values_of
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.rows.codec import decode_items, decode_row
from feature_platform.rows.undo import RowKey
from feature_platform.serving import FeatureClient
from feature_platform.store.base import HEAD_LEVEL, RowWrite, TileKey, write_timestamp
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing import ManualClock, Oracle
from feature_platform.tiles.layout import COUNTERS

ENTITIES_AT_ONCE = 200
"""Whose values are asked for in one request."""

Rows = Mapping[str, Mapping[TileKey, bytes]]
"""Payloads by entity, and by level and start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an engine has made of events."""

    rows: Rows
    refused: Mapping[str, int] | None = None
    """Dead letters by reason; None: it does not count them."""
    expired_ms: int = 0
    """Closed rows that are kept no longer than until then are not judged."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """The first place where an engine and the reference differ."""

    entity: str
    """Its key; empty for a count of all events."""
    tile: str
    """Which one; empty for what is no tile's."""
    what: str
    """The column or the served name."""
    reference: str
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How an engine agrees with the reference."""

    engine: str
    entities: int
    rows: int
    values: int
    """Served values."""
    different: int
    """Rows, values and counts that are not the same."""
    first: Disagreement | None
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Nothing differs, and something was compared."""
        return not self.different and self.rows > 0

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp verify --json` prints."""
        return {**asdict(self), "agrees": self.agrees}


def compare_rows(
    engine: str, snapshot: Snapshot, oracle: Oracle, made: Made, *, now_ms: int
) -> Compared:
    """Compare every row, byte for byte, what is served of them, and counts of dead letters.

    Args:
        engine: Its name.
        snapshot: What both computed.
        oracle: The reference, with all events.
        made: What the engine has made.
        now_ms: When values are served; those of an earlier instant are asked for, too.
    """
    found = _judged(snapshot, made.rows, made.expired_ms)
    known = {key: each.rows for key in oracle.entities if (each := oracle.entity(key))}
    wanted = _judged(snapshot, known, made.expired_ms)
    wrong, different, compared = list[Disagreement](), 0, 0
    for entity in sorted(wanted.keys() | found.keys()):
        left, right = wanted.get(entity, {}), found.get(entity, {})
        places = left.keys() | right.keys()
        compared += len(places)
        unlike = sum(left.get(key) != right.get(key) for key in places)
        different += unlike
        if unlike and not wrong:
            wrong.append(_in_words(snapshot, entity, left, right))
    values, unequal = _values(snapshot, oracle, made.rows, now_ms)
    letters = list(_letters(oracle, made.refused))
    return Compared(
        engine=engine,
        entities=len(wanted.keys() | found.keys()),
        rows=compared,
        values=values,
        different=different + len(unequal) + len(letters),
        first=next(iter((*wrong, *unequal, *letters)), None),
        notes=made.notes,
    )


def _judged(snapshot: Snapshot, rows: Rows, expired_ms: int) -> Rows:
    """Leave out closed rows that may have expired."""
    layout = snapshot.layout
    levels, kept = layout.grid.levels_ms, layout.retention_ms

    def stays(key: TileKey) -> bool:
        level, start_ms = key
        if not 0 <= level < len(levels):
            return True
        return start_ms + levels[level] + kept[level] > expired_ms

    if not expired_ms:
        return rows
    return {entity: {key: own[key] for key in own if stays(key)} for entity, own in rows.items()}


def _letters(oracle: Oracle, refused: Mapping[str, int] | None) -> Iterator[Disagreement]:
    if refused is None:
        return
    expected = Counter(str(each.reason) for each in oracle.dead_letters)
    for reason in sorted(expected.keys() | refused.keys()):
        if expected[reason] != refused.get(reason, 0):
            yield Disagreement(
                entity="",
                tile="",
                what=f"dead letters because of {reason}",
                reference=str(expected[reason]),
                engine=str(refused.get(reason, 0)),
            )


def _in_words(
    snapshot: Snapshot, entity: str, left: Mapping[TileKey, bytes], right: Mapping[TileKey, bytes]
) -> Disagreement:
    """Name the first tile and column that differ between the rows of an entity."""
    try:
        wanted, made = encoded_tiles([_keyed(left), _keyed(right)])
        for key in sorted(wanted.keys() | made.keys()):
            if wanted.get(key) != made.get(key):
                return _tile(snapshot, entity, key, wanted.get(key), made.get(key))
    except CorruptRowError as error:
        return Disagreement(
            entity=entity, tile="", what="a row", reference="readable", engine=str(error)
        )
    return Disagreement(
        entity=entity,
        tile="",
        what="which tiles are in the head, or how it is written",
        reference=spell(left.get((HEAD_LEVEL, 0))),
        engine=spell(right.get((HEAD_LEVEL, 0))),
    )


def _keyed(rows: Mapping[TileKey, bytes]) -> dict[RowKey, bytes]:
    return {RowKey(*key): payload for key, payload in rows.items()}


def _tile(
    snapshot: Snapshot, entity: str, key: TileKey, left: bytes | None, right: bytes | None
) -> Disagreement:
    layout = snapshot.layout
    where = name_tile(layout.grid, key)
    if left is None or right is None:
        there, gone = "a tile", "no tile"
        return Disagreement(
            entity=entity,
            tile=where,
            what="the tile",
            reference=gone if left is None else there,
            engine=gone if right is None else there,
        )
    wanted, made = (
        values_of(decode_row(each), layout.columns, key[0], layout.grid.lifetime_level)
        for each in (left, right)
    )
    for column in layout.columns:
        if wanted.get(column.name) != made.get(column.name):
            one, other = (
                _spelt(snapshot, column.name, each.get(column.name)) for each in (wanted, made)
            )
            return Disagreement(
                entity=entity, tile=where, what=column.name, reference=one, engine=other
            )
    return Disagreement(
        entity=entity, tile=where, what="bytes", reference=left.hex(), engine=right.hex()
    )


def _spelt(snapshot: Snapshot, name: str, value: int | bytes | None) -> str:
    column = snapshot.layout.column(name)
    if isinstance(value, bytes) and column.kind not in COUNTERS:
        return str([item.value for item in decode_items(value, column.carrier)])
    return spell(value)


def _values(
    snapshot: Snapshot, oracle: Oracle, found: Rows, now_ms: int
) -> tuple[int, list[Disagreement]]:
    """Serve the rows from memory, as a ranker reads them; compare with the reference's values."""
    clock = ManualClock(now_ms)
    tiles, registry = MemoryTiles(clock), MemoryRegistry(clock)
    tiles.create_table(snapshot.table)
    registry.save(snapshot)
    for entity, rows in found.items():
        writes = [
            RowWrite(level=level, start_ms=start_ms, payload=payload)
            for (level, start_ms), payload in rows.items()
        ]
        tiles.write(snapshot.table, entity, writes, written=write_timestamp(1, 1))
    prepared = FeatureClient(tiles, registry, clock=clock).prepare(featureset=snapshot.featureset)
    compared, wrong = 0, list[Disagreement]()
    for at_ms in (None, now_ms - oracle.featureset.settings.keep_ms // 2):
        for first in range(0, len(oracle.entities), ENTITIES_AT_ONCE):
            some = oracle.entities[first : first + ENTITIES_AT_ONCE]
            answers = prepared.get(some, at=at_ms).to_dicts()
            for answer in answers:
                expected = oracle.served(answer["entity"], now_ms, at_ms=at_ms)
                compared += len(expected)
                wrong += _unequal(answer, expected, at_ms)
    return compared, wrong


def _unequal(
    answer: Mapping[str, Any], expected: Mapping[str, object], at_ms: int | None
) -> Iterator[Disagreement]:
    when = f" as of {to_iso(at_ms)}" if at_ms else ""
    for name, value in expected.items():
        got = answer["values"].get(name)
        if got != value:
            yield Disagreement(
                entity=answer["entity"],
                tile="",
                what=f"served {name}{when}",
                reference=str(value),
                engine=str(got),
            )
