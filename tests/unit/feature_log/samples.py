"""Answers of every kind of feature, made up and drawn."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from feature_platform.feature_log.sample import Sample
from feature_platform.serving.answer_log import LoggedRows, logged_rows
from feature_platform.serving.matrix import Column, FeatureMatrix, Status
from feature_platform.serving.states import Evidence

INT64 = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0])
"""All bit patterns: NaNs of any payload, infinities, negative zero."""
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": INT64,
    "INT": INT64,
    "TIMESTAMP": INT64,
    "DOUBLE": DOUBLES,
    "DECIMAL(10,2)": st.floats(allow_nan=False, width=64),
    "BOOLEAN": st.booleans(),
    "STRING": TEXTS,
}
TYPES = {
    **SCALARS,
    **{f"list of {name}": st.lists(values, max_size=4) for name, values in SCALARS.items()},
}


def column(type_: str, values: Sequence[Any], defaults: Sequence[bool] = ()) -> Column:
    """Return a column of values, None where there is none.

    Args:
        type_: Of the feature.
        values: What is served.
        defaults: Which of them are defaults.
    """
    filled = np.array(defaults or [False] * len(values), dtype=np.bool_)
    shown = np.array([value is not None for value in values], dtype=np.bool_)
    if type_ == "STRING" or type_.startswith("list of "):
        data = np.full(len(values), None, dtype=object)
        for place, value in enumerate(values):
            data[place] = value
    else:
        kinds = {"BOOLEAN": np.bool_, "DOUBLE": np.float64, "DECIMAL(10,2)": np.float64}
        kind: Any = kinds.get(type_, np.int64)
        data = np.array([77 if value is None else value for value in values]).astype(kind)
    return Column(data=data, present=shown & ~filled, filled=(shown & filled) if defaults else None)


def matrix(
    columns: dict[str, tuple[str, Column]],
    keys: dict[str, tuple[str, ...]],
    status: Sequence[Status] = (),
    ages_ms: Sequence[int] | None = None,
) -> FeatureMatrix:
    """Return an answer; columns by name with their types."""
    count = len(next(iter(keys.values())))
    usual: list[Status] = ["ok"] * count
    seen = Evidence(
        found=np.zeros(count, dtype=np.int8), absent="expired", counts=False, partial=False
    )
    return FeatureMatrix(
        names=tuple(columns),
        types=tuple(type_ for type_, _ in columns.values()),
        keys=keys,
        status=tuple(status or usual),
        errors={},
        columns=tuple(each for _, each in columns.values()),
        evidence=(seen,) * len(columns),
        counts_since_ms={},
        ages_ms=None if ages_ms is None else np.array(ages_ms, dtype=np.int64),
    )


def sample(
    made: FeatureMatrix,
    rows: Sequence[int] | None = None,
    written: Mapping[str, Sequence[int]] | None = None,
    version: int = 1,
) -> Sample:
    """Return some rows of an answer, all by default, as they are handed over."""
    places = np.array([] if rows is None else rows, dtype=np.int64)
    return Sample(
        request_id="00ff",
        instant_ms=1_700_000_000_123,
        list="home",
        version=version,
        logged=LoggedRows(
            matrix=made if rows is None else logged_rows(made, (), places).matrix,
            written={
                name: np.array(each, dtype=np.int64) for name, each in (written or {}).items()
            },
        ),
        held_bytes=1,
    )
