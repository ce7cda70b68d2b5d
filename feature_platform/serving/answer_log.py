"""The port to a log of what was served; `feature_log` implements it. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from feature_platform.definition.feature_list import FeatureList
from feature_platform.rows.wire import Ints
from feature_platform.serving.answer import KindAnswer
from feature_platform.serving.later import Later
from feature_platform.serving.matrix import Block, Column, FeatureMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRows:
    """Some rows of an answer, and what they rest on."""

    matrix: FeatureMatrix
    """These rows alone. It is read later, in another thread: nobody may write into its columns."""
    written: Mapping[str, Ints]
    """By feature set, of each row: the write timestamp of the head, 0 without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStats:
    """What became of the rows that one process has sampled."""

    sampled_rows: int = 0
    sent_rows: int = 0
    """That the broker has acknowledged."""
    dropped_rows: Mapping[str, int] = field(default_factory=dict)
    """By reason; the rest is still waiting."""
    waiting_bytes: int = 0
    """About what answers take that are not encoded yet."""


class AnswerLog(Protocol):
    """Takes answers. Safe for use by threads; never blocks, never fails, and works after a fork."""

    def note(
        self,
        listed: FeatureList,
        instant_ms: int,
        keys: Mapping[str, Sequence[str]],
        take: Callable[[Ints], LoggedRows],
        request_id: str = "",
    ) -> None:
        """Take some rows of an answer, or none. Hot path.

        Args:
            listed: The list that was asked for.
            instant_ms: What the values are of.
            keys: By kind of entity, its key in each row of the answer.
            take: Returns rows of the answer, which ascend; called at most once, before this ends.
            request_id: What the caller calls the answer; empty: the log makes an id.
        """
        ...

    def stats(self) -> LogStats:
        """Return what this process has logged."""
        ...

    def close(self) -> None:
        """Send what is waiting, within a bound; what is left is dropped. Twice is harmless."""
        ...


def writers(answers: Sequence[KindAnswer], rows: Ints) -> dict[str, Ints]:
    """Return by feature set the write timestamp of the head that each row rests on, 0 without one.

    Args:
        answers: What an answer was put together from.
        rows: The rows that are asked about.
    """
    return {
        part.source.plan.group.snapshot.featureset: part.source.written(kind.asked.indexes[rows])
        for kind in answers
        for part in kind.parts
    }


def logged_rows(matrix: FeatureMatrix, answers: Sequence[KindAnswer], rows: Ints) -> LoggedRows:
    """Return some rows of an answer of a client, or all.

    Args:
        matrix: The answer.
        answers: What it was put together from.
        rows: Which; they ascend.
    """
    whole = len(rows) == len(matrix.status)
    return LoggedRows(
        matrix=matrix if whole else _only(matrix, rows), written=writers(answers, rows)
    )


def _only(matrix: FeatureMatrix, rows: Ints) -> FeatureMatrix:
    """Return some rows, as far as they are logged: columns of blocks are made of these rows alone.

    It keeps nothing of the answer alive.
    """
    listed = rows.tolist()
    blocks = tuple(block.take(rows) for block in matrix.blocks)
    others = {place: matrix.columns[place].take(rows) for place in matrix.alone}
    return FeatureMatrix(
        names=matrix.names,
        types=matrix.types,
        keys={kind: tuple([keys[row] for row in listed]) for kind, keys in matrix.keys.items()},
        status=tuple([matrix.status[row] for row in listed]),
        errors={},
        columns=Later(len(matrix.names), partial(_column, blocks, others)),
        evidence=(),
        counts_since_ms={},
        ages_ms=None if matrix.ages_ms is None else matrix.ages_ms[rows],
        blocks=blocks,
    )


def _column(blocks: Sequence[Block], others: Mapping[int, Column], place: int) -> Column:
    """Return a column that is in a block, or is none of a block."""
    for block in blocks:
        if place in block.positions:
            return block.column(block.positions.index(place))
    return others[place]
