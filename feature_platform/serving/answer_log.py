"""The port to a log of what was served; `feature_log` implements it. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.feature_list import FeatureList
from feature_platform.rows.wire import Ints
from feature_platform.serving.answer import KindAnswer
from feature_platform.serving.matrix import FeatureMatrix


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
        matrix: FeatureMatrix,
        answers: Sequence[KindAnswer],
    ) -> None:
        """Take an answer, or not. Hot path.

        The matrix is read later, in another thread: its columns must not be written to.

        Args:
            listed: The list that was asked for.
            instant_ms: What the values are of.
            matrix: The answer.
            answers: What it was put together from; not kept.
        """
        ...

    def stats(self) -> LogStats:
        """Return what this process has logged."""
        ...

    def close(self) -> None:
        """Send what is waiting, within a bound; what is left is dropped. Twice is harmless."""
        ...


def writers(answers: Sequence[KindAnswer], rows: NDArray[np.int64]) -> dict[str, Ints]:
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
