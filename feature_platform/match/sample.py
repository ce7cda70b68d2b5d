"""Which archived answers are compared: a bounded, stable sample of a period."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_platform.feature_log.read import Period, ServedLog

UNAVAILABLE = "unavailable"
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows that were served, as the feature log has them."""

    rows: pa.Table
    logged: int
    """How many rows of the period the log has."""
    unavailable: int
    """Rows among them that the store gave no answer for; none is in the sample."""
    other_versions: int
    """Rows among them that are of other versions of the list; so of these."""


def sample(
    log: ServedLog, period: Period, version: int, columns: Sequence[str], rows_max: int
) -> Sample:
    """Take some rows of a period: the same ones each time, whatever else is archived later.

    Args:
        log: What was served from a list.
        period: When.
        version: Of the list; other versions may mean something else by the same column.
        columns: What is read; those that the log has not are left out.
        rows_max: How many rows.
    """
    schema = log.schema(period)
    wanted = [name for name in columns if name in schema.names]
    kept: list[pa.Table] = []
    held = logged = unavailable = others = 0
    for batch in log.batches(period, wanted):
        table = pa.Table.from_batches([batch])
        logged += len(table)
        same = pc.equal(table["fp_version"], version)
        others += len(table) - (pc.sum(same).as_py() or 0)
        table = table.filter(same)
        answered = pc.not_equal(table["fp_status"], UNAVAILABLE)
        unavailable += len(table) - (pc.sum(answered).as_py() or 0)
        kept.append(table.filter(answered))
        held += len(kept[-1])
        if held > 4 * rows_max:
            kept = [_smallest(pa.concat_tables(kept), rows_max)]
            held = len(kept[0])
    none = pa.schema([schema.field(name) for name in wanted]).empty_table()
    return Sample(
        rows=_smallest(pa.concat_tables([none, *kept]), rows_max).combine_chunks(),
        logged=logged,
        unavailable=unavailable,
        other_versions=others,
    )


def _smallest(table: pa.Table, rows_max: int) -> pa.Table:
    """Return the rows whose places have the smallest hashes."""
    if len(table) <= rows_max:
        return table
    hashes = _hashes(table)
    return table.take(pa.array(np.sort(np.argsort(hashes, kind="stable")[:rows_max])))


def _hashes(table: pa.Table) -> NDArray[np.uint64]:
    """Return a hash of each row's place in the topic."""
    offset, row, part = (
        np.asarray(table[name]).astype(np.uint64)
        for name in ("fp_offset", "fp_row", "fp_partition")
    )
    mixed = (part << np.uint64(48)) ^ (offset << np.uint64(16)) ^ row
    for factor in _MIX:
        mixed = (mixed ^ (mixed >> np.uint64(30))) * factor
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found
