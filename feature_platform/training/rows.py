"""What each row of a spine asks: instants and keys of any Arrow type, or why there is none. Pure.

An instant becomes epoch milliseconds, UTC. A key becomes the text that the store has (decision 6),
by the rules of serving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError
from feature_platform.serving.keys import KeyType, stored_key, stored_keys

RowStatus = Literal[
    "ok",
    "no_data",
    "instant_null",
    "instant_unreadable",
    "key_null",
    "key_wrong_type",
    "before_log",
    "after_log",
    "unavailable",
]
"""What a row of a training set says of itself; `docs/training.md` has the table."""
STATUSES: tuple[RowStatus, ...] = get_args(RowStatus)
CODES: Mapping[RowStatus, int] = {status: code for code, status in enumerate(STATUSES)}
ANSWERED = (CODES["ok"], CODES["no_data"])
"""Statuses of rows that have features."""
UTC_NAME = "UTC"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX_MS = 253_402_300_799_999
"""The last instant of the year 9999, as of events."""

Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpineColumns:
    """Which columns of a spine say what is asked."""

    keys: Mapping[str, str]
    """By kind of entity, the column with its keys."""
    instant: str
    time_zone: str = UTC_NAME
    """Of timestamps without one."""

    def check(self, schema: pa.Schema) -> None:
        """Check that the columns are there, and that instants have a type that can be read.

        Raises:
            CallerError: They are not.
        """
        for what, name in (("instant", self.instant), *self.keys.items()):
            if name not in schema.names:
                option = "--instant COLUMN" if what == "instant" else f"--key {what}=COLUMN"
                hint = did_you_mean(name, schema.names) or f"; it has {', '.join(schema.names)}"
                msg = f"the spine has no column {name!r} ({option} names another one){hint}"
                raise CallerError(msg)
        kind = schema.field(self.instant).type
        fits = pa.types.is_timestamp(kind) or pa.types.is_int64(kind) or _is_text(kind)
        if not fits and not pa.types.is_null(kind):
            msg = (
                f"the spine's column {self.instant!r} is {kind}; an instant is a timestamp, int64 "
                "epoch milliseconds, or ISO-8601 text: cast it"
            )
            raise CallerError(msg)

    def is_naive(self, schema: pa.Schema) -> bool:
        """Return whether `time_zone` decides what the instants are."""
        kind = schema.field(self.instant).type
        return _is_text(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What some rows of a spine ask."""

    instants_ms: NDArray[np.int64]
    """0 where there is none."""
    keys: Mapping[str, list[str]]
    """By kind of entity; empty where there is none."""
    codes: Codes
    """Of each row, `ok` or why nothing can be asked."""


def questions(batch: pa.RecordBatch, columns: SpineColumns, kinds: Sequence[KeyType]) -> Questions:
    """Return what the rows of a batch ask; the first thing that is wrong with a row is its status.

    Args:
        batch: Rows of the spine.
        columns: Where instants and keys are.
        kinds: The kinds of entity that the features are about.
    """
    instants, codes = read_instants(batch.column(columns.instant), columns.time_zone)
    keys: dict[str, list[str]] = {}
    for kind in kinds:
        found, wrong = read_keys(batch.column(columns.keys[kind.entity]), kind)
        keys[kind.entity] = found
        codes = np.where(codes == CODES["ok"], wrong, codes)
    return Questions(instants_ms=instants, keys=keys, codes=codes)


def read_instants(column: pa.Array, time_zone: str = UTC_NAME) -> tuple[NDArray[np.int64], Codes]:
    """Return instants as epoch milliseconds; what is finer is cut off, towards the past.

    Args:
        column: Timestamps of any unit, with a zone or without, int64 epoch milliseconds, or
            ISO-8601 texts.
        time_zone: Of those without a zone. A local time that occurs twice is the earlier one, one
            that is skipped is the first that there is again.
    """
    codes = np.zeros(len(column), dtype=np.int8)
    codes[column.is_null().to_numpy(zero_copy_only=False)] = CODES["instant_null"]
    if pa.types.is_null(column.type):
        return np.zeros(len(column), dtype=np.int64), codes
    if _is_text(column.type):
        instants = _texts(column, time_zone, codes)
    elif pa.types.is_timestamp(column.type):
        column = _local(column, time_zone) if column.type.tz is None else column
        whole = np.asarray(column.cast(pa.int64()).fill_null(0))
        per_ms = {"ns": 1_000_000, "us": 1_000}.get(column.type.unit, 1)
        instants = whole // per_ms * (1_000 if column.type.unit == "s" else 1)
    else:
        instants = np.asarray(column.fill_null(0))
    beyond = (instants < 0) | (instants > INSTANT_MAX_MS)
    codes[beyond & (codes == 0)] = CODES["instant_unreadable"]
    return np.where(codes == 0, instants, 0), codes


def _texts(column: pa.Array, time_zone: str, codes: Codes) -> NDArray[np.int64]:
    """Return what texts say; the codes get a mark where one says nothing."""
    instants = np.zeros(len(column), dtype=np.int64)
    naive: list[int] = []
    for place, text in enumerate(column.to_pylist()):
        if text is None:
            continue
        try:
            moment = datetime.fromisoformat(text)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            instants[place] = (zoned - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            codes[place] = CODES["instant_unreadable"]
            continue
        if moment.tzinfo is None:
            naive.append(place)
    if naive and time_zone != UTC_NAME:
        local = pa.array(instants[naive], pa.timestamp("ms"))
        instants[naive] = np.asarray(_local(local, time_zone).cast(pa.int64()))
    return instants


def _local(column: pa.Array, time_zone: str) -> pa.Array:
    if time_zone == UTC_NAME:
        return column
    try:
        return pc.assume_timezone(column, time_zone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid as error:
        msg = f"time zone {time_zone!r} is not known; write one such as Europe/Berlin ({error})"
        raise CallerError(msg) from error


def read_keys(column: pa.Array, kind: KeyType) -> tuple[list[str], Codes]:
    """Return keys as the store has them.

    Args:
        column: Integers, floats that are whole, or texts.
        kind: Whose keys they are, and of which type.
    """
    encoded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    distinct = encoded.dictionary.to_pylist()
    stored, wrong = _stored(distinct, kind)
    indexes = np.asarray(encoded.indices.fill_null(len(distinct)))
    texts = np.array([*stored, ""], dtype=object)
    marks = np.array([*wrong, CODES["key_null"]], dtype=np.int8)
    keys: list[str] = texts[indexes].tolist()
    return keys, marks[indexes]


def _stored(distinct: list[Any], kind: KeyType) -> tuple[list[str], list[int]]:
    try:
        return stored_keys(distinct, [kind], len(distinct)), [CODES["ok"]] * len(distinct)
    except CallerError:
        pairs = [_single(value, kind) for value in distinct]
        return [text for text, _ in pairs], [code for _, code in pairs]


def _single(value: object, kind: KeyType) -> tuple[str, int]:
    if value is None or value != value:  # noqa: PLR0124 - NaN, which pandas writes for null
        return "", CODES["key_null"]
    try:
        return stored_key(value, kind, "key"), CODES["ok"]
    except CallerError:
        return "", CODES["key_wrong_type"]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
