"""What differs between the store and the recount, and all that a person needs to find out why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from feature_platform.cli.rows import describe_rows
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.cql import CqlRegistry
from feature_platform.rows.undo import decode_undo
from feature_platform.settings import Settings, password
from feature_platform.store.base import StoredRow
from feature_platform.store.connect import connect

DIFFERENCES_SHOWN, ATTEMPTS_SHOWN, CUTS_SHOWN, ENTITIES_SHOWN, UNDO_SHOWN = 6, 12, 12, 2, 12
WRITTEN_MAX = 2**50
"""A write without an attempt's timestamp has the clock's, which is above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as the oracle says."""

    entity: str
    what: str
    expected: object
    actual: object
    """Of a row its payload, or that and its timestamp."""


def explain(settings: Settings, snapshot: Snapshot, found: Sequence[Difference]) -> list[str]:
    """Return what a person needs to find the cause: rows decoded, attempts, cuts, undo rows."""
    lines = [line for item in found[:DIFFERENCES_SHOWN] for line in _explained(snapshot, item)]
    where = (snapshot.featureset, snapshot.generation)
    with connect(settings.store, "fp_service", password(settings, "service")) as connection:
        registry = CqlRegistry(connection)
        lines += [f"attempt: {attempt}" for attempt in registry.attempts(*where)[-ATTEMPTS_SHOWN:]]
        lines += [f"cut: {cut}" for cut in islice(registry.cuts(*where), CUTS_SHOWN)]
        for entity in sorted({item.entity for item in found})[:ENTITIES_SHOWN]:
            undo = connection.run(
                f"SELECT start, WRITETIME(payload), payload FROM {connection.keyspace}."
                f"{snapshot.table} WHERE entity = ? AND level = -2",
                (entity,),
            )
            lines += [_undo_line(entity, *row) for row in undo[-UNDO_SHOWN:]]
    return lines


def _explained(snapshot: Snapshot, item: Difference) -> Iterator[str]:
    payload, written = item.actual if isinstance(item.actual, tuple) else (item.actual, 0)
    by = f", written by attempt {written >> 30} flush {written & (1 << 30) - 1}" if written else ""
    yield f"{item.entity}: {item.what}{by}"
    if not item.what.startswith("row "):
        yield f"  expected {item.expected}, actual {item.actual}"
        return
    level, start = (int(part) for part in item.what[5:-1].split(","))
    sides: Mapping[str, Any] = {
        "expected": item.expected,
        "actual": payload,
    }
    tiles = {}
    for side, stored in sides.items():
        row = StoredRow(level=level, start_ms=start, payload=stored or b"", written=0)
        shown = [] if stored is None else describe_rows(snapshot, [row])
        tiles[side] = {(tile["level"], tile["start"]): tile["values"] for tile in shown}
    for place in sorted(tiles["expected"].keys() | tiles["actual"].keys(), key=str):
        left, right = tiles["expected"].get(place), tiles["actual"].get(place)
        if left != right:
            yield f"  {place}: expected {left}, actual {right}"


def _undo_line(entity: str, start: int, written: int, payload: bytes) -> str:
    attempt, checkpoint_id, sequence = start >> 43, start >> 16 & (1 << 27) - 1, start & 0xFFFF
    rows = [tuple(key) for key in decode_undo(payload)]
    return (
        f"undo of {entity}: attempt {attempt} checkpoint {checkpoint_id} sequence {sequence}, "
        f"written {written >> 30}/{written & (1 << 30) - 1}: {rows}"
    )
