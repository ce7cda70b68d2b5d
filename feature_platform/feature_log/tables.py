"""From a decoded record to an Arrow table: a row for each served row, a typed column per feature.

Beside the features and the keys are columns that begin with `fp_`: what was served, when, and what
it rests on. Columns of a name may differ in type between files; `schemas.py` joins them.
"""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from feature_platform.errors import CorruptRecordError
from feature_platform.feature_log.decode import Served
from feature_platform.feature_log.schemas import KEY
from feature_platform.rows.wire import Ints
from feature_platform.serving.frames import arrow_values
from feature_platform.store.base import FLUSH_BITS

DEAD_LETTERS = "dead_letters"
"""The folder of records that could not be decoded, beside those of dates."""
DEAD_SCHEMA = pa.schema(
    [
        ("fp_partition", pa.int32()),
        ("fp_offset", pa.int64()),
        ("fp_record_ms", pa.int64()),
        ("reason", pa.string()),
        ("value", pa.binary()),
    ]
)
INSTANT = "fp_instant_ms"
REQUEST_ID = "fp_request_id"
VERSION = "fp_version"
SERVED_STATUS = "fp_status"


def served_table(served: Served, partition: int, offset: int, record_ms: int) -> pa.Table:
    """Return the rows of a record.

    Args:
        served: The record.
        partition: Where it was in its topic.
        offset: Where it was there.
        record_ms: When the broker took it, epoch milliseconds.

    Raises:
        CorruptRecordError: A value is none of its column's type, or two columns share a name.
    """
    count = served.count
    ages = pa.nulls(count, pa.int64()) if served.ages_ms is None else pa.array(served.ages_ms)
    named: list[tuple[str, pa.Array]] = [
        (REQUEST_ID, pa.array([served.request_id] * count, pa.string())),
        (INSTANT, _same(served.instant_ms, count)),
        (VERSION, pa.array(np.full(count, served.version, dtype=np.int32))),
        ("fp_row", pa.array(np.arange(count, dtype=np.int32))),
        (SERVED_STATUS, pa.array(served.status, pa.string())),
        ("fp_age_ms", ages),
        *_writers(served),
        ("fp_partition", pa.array(np.full(count, partition, dtype=np.int32))),
        ("fp_offset", _same(offset, count)),
        ("fp_record_ms", _same(record_ms, count)),
        *((kind, pa.array(keys, pa.string())) for kind, keys in served.keys.items()),
        *_features(served),
    ]
    names = [name for name, _ in named]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"columns have the same name: {', '.join(twice)}"
        raise CorruptRecordError(msg)
    fields = [
        pa.field(name, array.type, metadata=KEY if name in served.keys else None)
        for name, array in named
    ]
    return pa.Table.from_arrays([array for _, array in named], schema=pa.schema(fields))


def dead_table(
    partition: int, offset: int, record_ms: int, reason: str, value: bytes | None
) -> pa.Table:
    """Return a record that could not be decoded, as a row."""
    row = {"fp_partition": partition, "fp_offset": offset, "fp_record_ms": record_ms}
    return pa.Table.from_pylist([{**row, "reason": reason, "value": value}], DEAD_SCHEMA)


def date_folder(served: Served) -> str:
    """Return the folder of a record: the date of its instant, UTC.

    Raises:
        CorruptRecordError: It has none.
    """
    return f"date={date_of(served.instant_ms)}"


def date_of(instant_ms: int) -> str:
    """Return the date of an instant, UTC, such as `2026-12-01`.

    Raises:
        CorruptRecordError: It has none.
    """
    try:
        return f"{datetime.fromtimestamp(instant_ms / 1000, tz=UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError) as error:
        msg = f"the instant {instant_ms} ms has no date"
        raise CorruptRecordError(msg) from error


def _features(served: Served) -> list[tuple[str, pa.Array]]:
    """Return the features, each of the type that was served."""
    made: list[tuple[str, pa.Array]] = []
    for name, type_, column in zip(served.names, served.types, served.columns, strict=True):
        try:
            made.append((name, arrow_values(column, type_)))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            msg = f"column {name} is not {type_}: {error}"
            raise CorruptRecordError(msg) from error
    return made


def _writers(served: Served) -> list[tuple[str, pa.Array]]:
    """Return attempt and flush of each feature set's heads; null without a head."""
    made: list[tuple[str, pa.Array]] = []
    for name, written in served.written.items():
        none = written == 0
        attempts: Ints = written >> FLUSH_BITS
        flushes: Ints = written & ((1 << FLUSH_BITS) - 1)
        made += [
            (f"fp_attempt_{name}", pa.array(attempts, mask=none)),
            (f"fp_flush_{name}", pa.array(flushes, mask=none)),
        ]
    return made


def _same(value: int, count: int) -> pa.Array:
    return pa.array(np.full(count, value, dtype=np.int64))
