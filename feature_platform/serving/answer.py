"""From what was read to the matrix: statuses, failures of single entities, receipts. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_platform.errors import CorruptRowError
from feature_platform.rows.wire import Ints
from feature_platform.serving.ages import stale_from_ms
from feature_platform.serving.assemble import Values, assemble
from feature_platform.serving.found import Found
from feature_platform.serving.later import Later
from feature_platform.serving.matrix import STATUSES, Block, Column, FeatureMatrix, Status
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ReadPlan, changes_ms, types_of
from feature_platform.serving.receipt import FeatureReceipt, Receipt, explain
from feature_platform.serving.request import AskedKeys
from feature_platform.serving.shown import Shown, Wishes
from feature_platform.serving.states import FAILED, HAS_ROWS, NO_ROWS, Evidence

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one feature set answers, an entity each."""

    source: Found
    """What it is computed from."""
    shown: Shown
    """The features."""
    now_ms: int
    stale_from_ms: tuple[Ints, ...] = ()
    """Of each feature with a `max_age`: from when each entity's value is too old."""

    @property
    def until_ms(self) -> Ints | None:
        """Before when each entity would be answered alike without a read.

        None: at this instant only, because what was read is not kept, or a past one was asked.
        """
        known_ms = self.source.until_ms
        if known_ms is None:
            return None
        until_ms: Ints = np.minimum(known_ms, changes_ms(self.source.plan, self.now_ms))
        for each in self.stale_from_ms:
            until_ms = np.where(each > self.now_ms, np.minimum(until_ms, each), until_ms)
        return until_ms

    @property
    def found(self) -> NDArray[np.int8]:
        """Of each entity: HAS_ROWS, NO_ROWS or FAILED."""
        return self.shown.found


@dataclass(frozen=True, slots=True, kw_only=True)
class _InRows:
    """The features of a part, with a line for each row of the answer; rows may share entities."""

    shown: Shown
    asked: AskedKeys

    def column(self, place: int) -> Column:
        """Return the values of a feature."""
        made = self.shown.column(place)
        return made if self.asked.all_unique else made.take(self.asked.indexes)

    def evidence(self, place: int) -> Evidence:
        """Return what the states of a feature follow from."""
        made = self.shown.evidence(place)
        if self.asked.all_unique:
            return made
        return made.take(self.asked.indexes, self.shown.found[self.asked.indexes])

    @property
    def block(self) -> Block | None:
        """The plain counters, if every entity has values."""
        block = self.shown.block
        return block if block is None or self.asked.all_unique else block.take(self.asked.indexes)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindAnswer:
    """What the feature sets of one kind of entity answer."""

    asked: AskedKeys
    parts: tuple[Part, ...]

    @property
    def found(self) -> NDArray[np.int8]:
        """Of each entity, over its feature sets."""
        each = np.array([part.found for part in self.parts], dtype=np.int8)
        if not self.parts:
            return np.full(len(self.asked.unique), NO_ROWS, dtype=np.int8)
        return _together(each)


def answer_part(found: Found, now_ms: int, wishes: Wishes | None = None) -> Part:
    """Compute one feature set's values; rows that cannot be decoded spoil only their entity.

    Args:
        found: What was found of each entity.
        now_ms: The present: what is older than its `max_age` by then is no value.
        wishes: Defaults and ages.
    """
    asked, plan = wishes or Wishes(), found.plan
    try:
        merged, values = _assembled(found)
    except CorruptRowError:
        found = found.without(_corrupt(found))
        merged, values = _assembled(found)
    ends_ms = stale_from_ms(plan, merged, asked.max_ages_ms) if plan.mode == "now" else {}
    old = {position: each <= now_ms for position, each in ends_ms.items()}
    shown = Shown(plan=plan, values=values, found=values.block.found, old=old, wishes=asked)
    stale = tuple(ends_ms.values())
    return Part(source=found, shown=shown, now_ms=now_ms, stale_from_ms=stale)


def _assembled(found: Found) -> tuple[Merged, Values]:
    merged = found.merge()
    return merged, assemble(found.plan, merged, found.states)


def _corrupt(found: Found) -> dict[int, CorruptRowError]:
    """Return whose rows cannot be decoded, and why, by place."""
    errors: dict[int, CorruptRowError] = {}
    for place in np.flatnonzero(found.states != FAILED).tolist():
        try:
            _assembled(found.only(place))
        except CorruptRowError as error:
            errors[place] = error
    return errors


def _together(found: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return what holds over all lines: FAILED if one has, HAS_ROWS if one has rows."""
    best: NDArray[np.int8] = found.min(axis=0)
    best[(found == FAILED).any(axis=0)] = FAILED
    return best


def answer(
    names: tuple[str, ...], kinds: Sequence[KindAnswer], *, explained: bool
) -> FeatureMatrix:
    """Put the answer together: what each kind of entity answers, in the rows that ask for it.

    Args:
        names: The features, in the order they were asked for.
        kinds: The answers.
        explained: Add receipts.
    """
    shown = tuple(
        _InRows(shown=part.shown, asked=kind.asked) for kind in kinds for part in kind.parts
    )
    blocks = [each.block for each in shown]
    return FeatureMatrix(
        names=names,
        types=types_of(each.shown.plan.group for each in shown),
        keys={kind.asked.entity: kind.asked.keys for kind in kinds},
        status=_statuses(kinds),
        errors=_errors(kinds),
        columns=Later(len(names), lambda position: _of(shown, position, _InRows.column)),
        evidence=Later(len(names), lambda position: _of(shown, position, _InRows.evidence)),
        counts_since_ms=_counts_since_ms(
            names, [part.source.plan for kind in kinds for part in kind.parts]
        ),
        receipts=tuple(_receipts(kinds)) if explained else None,
        ages_ms=_ages_ms(kinds),
        blocks=tuple(block for block in blocks if block is not None),
    )


def _of(shown: Sequence[_InRows], position: int, make: Callable[[_InRows, int], Made]) -> Made:
    """Return something of the feature at a position of the request, whichever part has it.

    Raises:
        IndexError: No part has one there.
    """
    for each in shown:
        place = each.shown.plan.derived(_places).get(position)
        if place is not None:
            return make(each, place)
    raise IndexError(position)


def _places(plan: ReadPlan) -> dict[int, int]:
    """Return the place of each of a plan's features, by its position in the request."""
    return {position: place for place, position in enumerate(plan.group.positions)}


def _ages_ms(kinds: Sequence[KindAnswer]) -> Ints | None:
    """Return how long ago what each row rests on was read: the longest; None without a cache."""
    each = [
        part.source.ages_ms[kind.asked.indexes]
        for kind in kinds
        for part in kind.parts
        if part.source.ages_ms is not None
    ]
    return np.max(each, axis=0) if each else None


def _statuses(kinds: Sequence[KindAnswer]) -> tuple[Status, ...]:
    """Return each row's: unavailable if one of its entities is, ok if one has rows."""
    rows = np.array([kind.found[kind.asked.indexes] for kind in kinds], dtype=np.int8)
    best = _together(rows)
    if not best.any():
        return (STATUSES[HAS_ROWS],) * len(best)
    return tuple(STATUSES[each] for each in best.tolist())


def _errors(kinds: Sequence[KindAnswer]) -> dict[str, str]:
    """Return why an entity is unavailable; of several kinds under `kind=key`."""
    errors: dict[str, str] = {}
    for kind in kinds:
        prefix = f"{kind.asked.entity}=" if len(kinds) > 1 else ""
        for place in np.flatnonzero(kind.found == FAILED).tolist():
            each = [part.source.errors.get(place) for part in kind.parts]
            told = "; ".join(str(error) for error in each if error)
            errors[f"{prefix}{kind.asked.unique[place]}"] = told
    return errors


def _counts_since_ms(names: Sequence[str], plans: Sequence[ReadPlan]) -> dict[str, int]:
    """Return the features that began to count inside what was asked, and since when."""
    return {
        names[position]: since_ms
        for plan in plans
        for position, since_ms in plan.counts_since_ms().items()
    }


def _receipts(kinds: Sequence[KindAnswer]) -> Iterable[Receipt]:
    """Yield what the values of each row rest on."""
    for row in range(len(kinds[0].asked.keys)):
        places = [(part, int(kind.asked.indexes[row])) for kind in kinds for part in kind.parts]
        yield _receipt(places)


def _receipt(places: Sequence[tuple[Part, int]]) -> Receipt:
    newest: dict[str, int | None] = {}
    placed: list[tuple[int, FeatureReceipt]] = []
    for part, place in places:
        plan = part.source.plan
        rows = part.source.rows(place)
        receipts, newest[plan.group.snapshot.featureset] = explain(plan, rows)
        placed += zip(plan.group.positions, receipts, strict=True)
    ordered = sorted(placed, key=lambda pair: pair[0])
    return Receipt(features=tuple(receipt for _, receipt in ordered), newest_tile_ms=newest)
