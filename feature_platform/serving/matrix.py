"""The answer to a request: one row per entity, one column per feature, a status per entity."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from feature_platform.clock import to_iso
from feature_platform.rows.partials import Value
from feature_platform.serving.receipt import Receipt

Status = Literal["ok", "no_data", "unavailable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one feature, exact, an entity each."""

    data: NDArray[Any]
    """int64, bool, float64; object for texts and lists."""
    present: NDArray[np.bool_]
    """Where there is a value at all."""
    large: Mapping[int, int] = field(default_factory=dict)
    """Exact integers, by place, that `data` has no room for."""

    @property
    def is_numeric(self) -> bool:
        """Whether it can be in a matrix of floats."""
        return self.data.dtype != object

    def take(self, indexes: NDArray[np.int64]) -> "Column":
        """Return the values at these indexes."""
        large = {
            place: self.large[index]
            for place, index in enumerate(indexes.tolist() if self.large else ())
            if index in self.large
        }
        return Column(data=self.data[indexes], present=self.present[indexes], large=large)

    def only(self, known: NDArray[np.bool_]) -> "Column":
        """Return the values where something is known; none elsewhere."""
        return replace(self, present=self.present & known)

    def to_list(self) -> list[Value]:
        """Return plain Python values, None where there is none."""
        pairs = zip(self.data.tolist(), self.present.tolist(), strict=True)
        values: list[Value] = [value if present else None for value, present in pairs]
        for place, value in self.large.items():
            values[place] = value if self.present[place] else None
        return values

    def to_floats(self) -> NDArray[np.float64]:
        """Return the nearest float of each number; NaN where there is none."""
        floats = self.data.astype(np.float64)
        for place, value in self.large.items():
            floats[place] = float(value)
        floats[~self.present] = np.nan
        return floats


@dataclass(frozen=True, kw_only=True)
class FeatureMatrix:
    """Served values of a list of entities."""

    names: tuple[str, ...]
    """The features, in the order they were asked for."""
    entities: tuple[str, ...]
    status: tuple[Status, ...]
    """no_data: no row at all, so counts and sums are 0. unavailable: the store failed for it."""
    errors: dict[str, str]
    """Why an unavailable entity is."""
    columns: tuple[Column, ...]
    counts_since_ms: dict[str, int]
    """Features that count since an instant inside what was asked, by name: their windows are not
    full yet, their lifetimes lack what was before."""
    receipts: tuple[Receipt, ...] | None = None
    """With `explain`: what each entity's values rest on."""

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """A row per entity, a column per name; NaN for no value, and for all texts and lists."""
        matrix = np.full((len(self.entities), len(self.names)), np.nan)
        for place, column in enumerate(self.columns):
            if column.is_numeric:
                matrix[:, place] = column.to_floats()
        return matrix

    @cached_property
    def objects(self) -> dict[str, list[Value]]:
        """Texts and lists, by name; None for no value."""
        named = zip(self.names, self.columns, strict=True)
        return {name: column.to_list() for name, column in named if not column.is_numeric}

    def to_dicts(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the form that is written as JSON: exact integers, None for no value.

        Args:
            names: Other names for the features, in their order.
        """
        shown = self.names if names is None else names
        columns = [column.to_list() for column in self.columns]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self.entities))
        dicts: list[dict[str, Any]] = []
        for index, (entity, status, row) in enumerate(
            zip(self.entities, self.status, rows, strict=True)
        ):
            values = {name: _finite(value) for name, value in zip(shown, row, strict=True)}
            dicts.append({"entity": entity, "status": status, "values": values})
            if self.counts_since_ms:
                dicts[-1]["counts_since"] = {
                    name: to_iso(self.counts_since_ms[full])
                    for name, full in zip(shown, self.names, strict=True)
                    if full in self.counts_since_ms
                }
            if entity in self.errors:
                dicts[-1]["error"] = self.errors[entity]
            if self.receipts is not None:
                dicts[-1]["receipt"] = self.receipts[index].to_dict()
        return dicts


def _finite(value: Value) -> Value:
    """Return None for the infinities, which JSON cannot write."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
