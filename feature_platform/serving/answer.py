"""From what was read to the matrix: statuses, failures of single entities, receipts. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_platform.errors import CorruptRowError, WorldError
from feature_platform.serving.assemble import assemble
from feature_platform.serving.matrix import Column, FeatureMatrix, Status
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.receipt import FeatureReceipt, Receipt, explain
from feature_platform.store.base import StoredRow

Outcome = list[StoredRow] | WorldError
"""The rows that were read of an entity, or why there are none to go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one feature set answers, an entity each."""

    plan: ReadPlan
    outcomes: list[Outcome]
    columns: tuple[Column, ...]


def joined(before: Outcome, more: Outcome) -> Outcome:
    """Join what two reads of one entity gave; one failure is enough."""
    if isinstance(before, WorldError):
        return before
    return more if isinstance(more, WorldError) else before + more


def answer_part(plan: ReadPlan, outcomes: list[Outcome]) -> Part:
    """Compute one feature set's values; rows that cannot be decoded spoil only their entity."""
    columns = _try_assemble(plan, outcomes)
    if columns is None:
        outcomes = [_judge(plan, outcome) for outcome in outcomes]
        columns = assemble(plan, _rows(outcomes))
    known = np.array([not isinstance(outcome, WorldError) for outcome in outcomes], dtype=np.bool_)
    return Part(
        plan=plan,
        outcomes=outcomes,
        columns=tuple(column.only(known) for column in columns),
    )


def _try_assemble(plan: ReadPlan, outcomes: Sequence[Outcome]) -> tuple[Column, ...] | None:
    try:
        return assemble(plan, _rows(outcomes))
    except CorruptRowError:
        return None


def _judge(plan: ReadPlan, outcome: Outcome) -> Outcome:
    """Return the outcome, or why its rows cannot be decoded."""
    try:
        assemble(plan, _rows([outcome]))
    except CorruptRowError as error:
        return error
    return outcome


def _rows(outcomes: Sequence[Outcome]) -> list[list[StoredRow]]:
    return [[] if isinstance(outcome, WorldError) else outcome for outcome in outcomes]


def answer(
    names: tuple[str, ...],
    keys: Sequence[str],
    unique: Sequence[str],
    parts: Sequence[Part],
    *,
    explained: bool,
) -> FeatureMatrix:
    """Put the answer together.

    Args:
        names: The features, in the order they were asked for.
        keys: The entities, in the order they were asked for.
        unique: The same, each once, as the parts have them.
        parts: Each feature set's answer.
        explained: Add receipts.
    """
    places = {entity: place for place, entity in enumerate(unique)}
    order = [places[key] for key in keys]
    indexes = np.array(order, dtype=np.int64)
    columns = {
        position: column.take(indexes)
        for part in parts
        for position, column in zip(part.plan.group.positions, part.columns, strict=True)
    }
    found = [[part.outcomes[place] for part in parts] for place in range(len(unique))]
    errors = {
        entity: "; ".join(str(outcome) for outcome in outcomes if isinstance(outcome, WorldError))
        for entity, outcomes in zip(unique, found, strict=True)
    }
    return FeatureMatrix(
        names=names,
        entities=tuple(keys),
        status=tuple(_status(found[place]) for place in order),
        errors={entity: text for entity, text in errors.items() if text},
        columns=tuple(columns[position] for position in range(len(names))),
        counts_since_ms=_counts_since_ms(names, parts),
        receipts=tuple(_receipt(parts, place) for place in order) if explained else None,
    )


def _counts_since_ms(names: Sequence[str], parts: Sequence[Part]) -> dict[str, int]:
    """Return the features that began to count inside what was asked, and since when."""
    return {
        names[position]: wanted.valid_from_ms
        for part in parts
        for position, wanted in zip(part.plan.group.positions, part.plan.group.wanted, strict=True)
        if not part.plan.is_full(wanted)
    }


def _status(outcomes: Sequence[Outcome]) -> Status:
    if any(isinstance(outcome, WorldError) for outcome in outcomes):
        return "unavailable"
    return "ok" if any(outcomes) else "no_data"


def _receipt(parts: Sequence[Part], place: int) -> Receipt:
    newest: dict[str, int | None] = {}
    placed: list[tuple[int, FeatureReceipt]] = []
    for part in parts:
        (rows,) = _rows([part.outcomes[place]])
        receipts, newest[part.plan.group.snapshot.featureset] = explain(part.plan, rows)
        placed += zip(part.plan.group.positions, receipts, strict=True)
    ordered = sorted(placed, key=lambda pair: pair[0])
    return Receipt(features=tuple(receipt for _, receipt in ordered), newest_tile_ms=newest)
