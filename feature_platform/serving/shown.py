"""What is served of one feature set, after defaults and ages; features are made when asked for.

Most requests look at the matrix of floats alone, which is made of the block of plain counters. No
I/O. Hot path.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.feature_list import Default, FeatureList
from feature_platform.rows.wire import Mask
from feature_platform.serving.assemble import Values
from feature_platform.serving.matrix import Block, Column
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.states import FAILED, Evidence, evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is asked of single features, by their position in the request."""

    defaults: Mapping[int, Default] = field(default_factory=dict)
    """What is served where there is no value."""
    max_ages_ms: Mapping[int, int] = field(default_factory=dict)
    """How old the newest event of a property may be."""

    @classmethod
    def of(cls, listed: FeatureList) -> "Wishes":
        """Return what a list asks."""
        features = list(enumerate(listed.features))
        return cls(
            defaults={at: each.default for at, each in features if each.default is not None},
            max_ages_ms={at: each.max_age_ms for at, each in features if each.max_age_ms},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one feature set answers."""

    plan: ReadPlan
    values: Values
    found: NDArray[np.int8]
    """Of each entity: HAS_ROWS, NO_ROWS or FAILED."""
    old: Mapping[int, Mask]
    """By position in the request: which values are older than they may be."""
    wishes: Wishes

    def column(self, place: int) -> Column:
        """Return the values of a feature of the plan, an entity each."""
        position, shown = self.plan.group.positions[place], self.values.column(place)
        is_old, known = self.old.get(position), self.found != FAILED
        if is_old is not None:
            shown = shown.only(known & ~is_old)
        elif not known.all():
            shown = shown.only(known)
        default = self.wishes.defaults.get(position)
        return shown if default is None else shown.with_default(default)

    def evidence(self, place: int) -> Evidence:
        """Return what the states of a feature of the plan follow from."""
        position = self.plan.group.positions[place]
        wanted = self.plan.group.wanted[place]
        return evidence(self.plan, wanted, self.found, self.old.get(position))

    @property
    def block(self) -> Block | None:
        """Plain counters; None where an entity has failed, and so has no values."""
        return None if (self.found == FAILED).any() else self.values.block
