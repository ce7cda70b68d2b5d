"""Why a value is there or not, for each value of an answer: told apart, never guessed. No I/O."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from feature_platform.serving.read_plan import ReadPlan, ResolvedFeature
from feature_platform.tiles.layout import ADDITIVE

State = Literal[
    "value",
    "zero",
    "no_data",
    "expired",
    "stale",
    "not_yet_valid",
    "not_kept",
    "out_of_range",
    "unavailable",
]
"""What one value says; `docs/serving.md` has the table."""
STATES: tuple[State, ...] = get_args(State)
"""All of them; the place of one is its code, in matrices and on the wire: append only."""
CODES: dict[State, int] = {state: code for code, state in enumerate(STATES)}

HAS_ROWS, NO_ROWS, FAILED = 0, 1, 2
"""What was found of an entity in one feature set."""


class HasCodes(Protocol):
    """Knows what the values of one column say."""

    def codes(
        self,
        present: NDArray[np.bool_],
        zero: NDArray[np.bool_],
        lost: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int8]:
        """Return the code of the state of each value; see `Evidence.codes`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What it follows from that one feature has a value, or none."""

    found: NDArray[np.int8]
    """Of each row: HAS_ROWS, NO_ROWS or FAILED."""
    absent: State
    """What it means that an entity which has rows has no value."""
    counts: bool
    """Whether it is a count or a sum, of which 0 means that nothing was added up."""
    partial: bool
    """Whether it began to count inside what was asked."""
    stale: NDArray[np.bool_] | None = None
    """Of each row, whether its newest event is older than `max_age`."""

    def take(self, indexes: NDArray[np.int64], found: NDArray[np.int8]) -> "Evidence":
        """Return that of the rows at these indexes, whose `found` all features share."""
        old = None if self.stale is None else self.stale[indexes]
        return replace(self, found=found, stale=old)

    def codes(
        self,
        present: NDArray[np.bool_],
        zero: NDArray[np.bool_],
        lost: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int8]:
        """Return the state of each value of a column, as its place in `STATES`.

        Args:
            present: Where the column has a value.
            zero: Where that is 0.
            lost: Where an average lacks a value that is too large.
        """
        codes = np.full(len(self.found), CODES[self.absent], dtype=np.int8)
        codes[present] = CODES["value"]
        if self.counts:
            codes[zero] = CODES["zero"]
        if self.stale is not None:
            codes[self.stale] = CODES["stale"]
        if lost is not None:
            codes[lost] = CODES["out_of_range"]
        if self.partial:
            codes[:] = CODES["not_yet_valid"]
        codes[self.found == NO_ROWS] = CODES["no_data"]
        codes[self.found == FAILED] = CODES["unavailable"]
        return codes


def evidence(
    plan: ReadPlan,
    wanted: ResolvedFeature,
    found: NDArray[np.int8],
    stale: NDArray[np.bool_] | None,
) -> Evidence:
    """Return what the states of one feature follow from.

    Args:
        plan: What was read.
        wanted: The feature.
        found: Of each entity: HAS_ROWS, NO_ROWS or FAILED.
        stale: Of each entity, whether `max_age` took its value away.
    """
    is_sum = wanted.columns[0].kind in ADDITIVE and wanted.feature.aggregate != "avg"
    is_past = plan.mode == "past" and not wanted.window_ms
    absent: State = "no_data"
    if is_past:
        absent = "not_kept"
    elif is_sum:
        absent = "out_of_range"
    elif wanted.window_ms:
        absent = "expired"
    return Evidence(
        found=found,
        absent=absent,
        counts=is_sum,
        partial=not is_past and not plan.is_full(wanted),
        stale=stale,
    )
