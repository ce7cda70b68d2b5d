"""Whether the stores of several builds hold the same: every row, byte for byte, or every value.

A build whose layout is another one cannot have the same bytes. Of it the values of the columns that
both have are compared, by their names.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Any

from bench.rig import NAME
from feature_platform.lineage.as_of import encoded_tiles
from feature_platform.plan.snapshot import table_name
from feature_platform.rows.codec import decode_row
from feature_platform.rows.undo import RowKey
from feature_platform.settings import Settings, password
from feature_platform.store.base import UNDO_LEVEL
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import SCAN_RANGES, TOKEN_MIN, TOKENS

DIGEST_BYTES = 16
Rows = Mapping[RowKey, bytes]
Found = dict[str, tuple[int, bytes]]
"""By entity, how many rows or tiles it has, and a digest of them."""


def as_bytes(settings: Settings, share: float) -> Found:
    """Return what the rows of entities are; undo rows, attempts and flushes are left out.

    Args:
        settings: Of the store.
        share: Of the entities, always the same ones.
    """
    with _open(settings) as connection:
        return _digests(connection, share, lambda rows: sorted(rows.items()))


def as_values(settings: Settings, share: float) -> Found:
    """Return what the tiles of entities hold, by names of columns, in the head or not."""
    with _open(settings) as connection:
        named = connection.run(
            f"SELECT id, name FROM {connection.keyspace}.feature_ids WHERE featureset = ?", (NAME,)
        )
        names = {number: name for number, name in named if "#" not in name}
        return _digests(connection, share, lambda rows: _values(rows, names))


def _values(rows: Rows, names: Mapping[int, str]) -> list[Any]:
    (tiles,) = encoded_tiles([rows])
    decoded = ((tuple(key), decode_row(row).counters) for key, row in tiles.items())
    return sorted(
        (key, sorted((names[number], value) for number, value in held.items() if number in names))
        for key, held in decoded
    )


def _open(settings: Settings) -> Connection:
    return connect(settings.store, "fp_service", password(settings, "service"))


def _digests(connection: Connection, share: float, held_by: Callable[[Rows], list[Any]]) -> Found:
    """Go through the ring.

    Raises:
        SystemExit: There are no rows.
    """
    found: Found = {}
    for entity, rows in _entities(connection, share):
        held = held_by(rows)
        digest = blake2b(repr(held).encode(), digest_size=DIGEST_BYTES).digest()
        found[entity] = (len(held), digest)
    if not found:
        msg = f"{connection.keyspace} has no rows: no figure counts"
        raise SystemExit(msg)
    return found


def _entities(connection: Connection, share: float) -> Iterator[tuple[str, Rows]]:
    table = f"{connection.keyspace}.{table_name(NAME, 1)}"
    statement = (
        f"SELECT entity, level, start, payload FROM {table} "
        "WHERE token(entity) >= ? AND token(entity) <= ?"
    )
    size = TOKENS // SCAN_RANGES
    for number in range(max(1, round(SCAN_RANGES * share))):
        first = TOKEN_MIN + number * size
        stored = connection.run(statement, (first, first + size - 1))
        for entity, rows in groupby(stored, itemgetter(0)):
            yield (
                entity,
                {RowKey(level, at): row for _, level, at, row in rows if level != UNDO_LEVEL},
            )
