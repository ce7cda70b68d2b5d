"""How long the closed tiles of a table are kept, and were: until when a tile surely lasts. Pure.

A closed tile's row carries the expiry of the layout in force when it was last written: a layout of
today says nothing about rows of yesterday. A row that expired and is met by a late event begins
again without what it held. So a tile holds all its events until its end and the shortest time that
any layout has kept its level since the tile could have had an event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STEPS_MAX = 16
"""Shorter times that are remembered of one level; with more, the two oldest count as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A layout of before that kept a level for a shorter time."""

    before_ms: int
    """Tiles that start before this may have been written under it."""
    kept_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the closed tiles of one generation's table are kept, and were.

    Invariants: 1. `earlier` has an entry for each level; 2. in each, both numbers ascend, and all
    are below the level's `kept_ms`.
    """

    kept_ms: tuple[int, ...]
    """By level, how long the layout that was last given to a job keeps a tile after its end."""
    earlier: tuple[tuple[Step, ...], ...]
    """By level, shorter times that older rows may carry."""
    unknown_before_ms: int = 0
    """Nobody recorded how long tiles were kept that start before this; 0: all is recorded."""

    @classmethod
    def begun(cls, kept_ms: Sequence[int], *, unknown_before_ms: int = 0) -> "Retention":
        """Return that of a table that was written under one layout only.

        Args:
            kept_ms: By level, how long after its end a closed tile is kept.
            unknown_before_ms: Tiles that start before this may have been written under others.
        """
        return cls(
            kept_ms=tuple(kept_ms),
            earlier=tuple(() for _ in kept_ms),
            unknown_before_ms=unknown_before_ms,
        )

    def changed(self, kept_ms: Sequence[int], before_ms: int) -> "Retention":
        """Return that of the same table once a job with another layout may write it.

        A step is forgotten where a later layout has kept as short: that one binds more tiles.

        Args:
            kept_ms: By level, how long that layout keeps a closed tile.
            before_ms: No tile that starts at this or later was written under the layout before.
        """
        if self.kept_ms == tuple(kept_ms):
            return self
        levels = zip(self.kept_ms, self.earlier, kept_ms, strict=True)
        return Retention(
            kept_ms=tuple(kept_ms),
            earlier=tuple(
                _bounded(_steps(old, steps, new, before_ms)) for old, steps, new in levels
            ),
            unknown_before_ms=self.unknown_before_ms,
        )

    def lasts_ms(self, level: int, start_ms: int) -> int | None:
        """Return for how long after its end a tile is surely kept; None if nobody knows."""
        if start_ms < self.unknown_before_ms:
            return None
        steps = (step.kept_ms for step in self.earlier[level] if start_ms < step.before_ms)
        return min(steps, default=self.kept_ms[level])

    def whole_from_ms(self, level: int, now_ms: int, window_ms: int, slack_ms: int) -> int:
        """Return from when on all events of a level are in tiles that are there.

        Args:
            level: Which tiles.
            now_ms: The present.
            window_ms: Leave out steps that are shorter: a window that needs more says itself since
                when it counts, see `answers_from_ms`.
            slack_ms: How much earlier than that a tile may start and yet be needed.
        """
        steps = (
            min(step.before_ms + slack_ms, now_ms - step.kept_ms)
            for step in self.earlier[level]
            if step.kept_ms >= window_ms
        )
        return max(now_ms - self.kept_ms[level], *steps, 0)

    def answers_from_ms(self, level: int, window_ms: int) -> int:
        """Return from which event time on tiles live as long as a window needs them; 0: always.

        Tiles of before may be gone while the window still reaches them.
        """
        steps = (step.before_ms for step in self.earlier[level] if step.kept_ms < window_ms)
        return max(self.unknown_before_ms, *steps, 0)

    def to_json(self) -> dict[str, Any]:
        """Return the form that the registry stores."""
        return {
            "kept_ms": list(self.kept_ms),
            "earlier": [[[step.before_ms, step.kept_ms] for step in each] for each in self.earlier],
            "unknown_before_ms": self.unknown_before_ms,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Retention":
        """Read what `to_json` wrote."""
        return cls(
            kept_ms=tuple(data["kept_ms"]),
            earlier=tuple(
                tuple(Step(before_ms=before_ms, kept_ms=kept_ms) for before_ms, kept_ms in each)
                for each in data["earlier"]
            ),
            unknown_before_ms=data["unknown_before_ms"],
        )


def _steps(old_ms: int, steps: Sequence[Step], new_ms: int, before_ms: int) -> list[Step]:
    known = [*steps, Step(before_ms=before_ms, kept_ms=old_ms)]
    return [step for step in known if step.kept_ms < new_ms]


def _bounded(steps: list[Step]) -> tuple[Step, ...]:
    while len(steps) > STEPS_MAX:
        oldest, second, *others = steps
        steps = [Step(before_ms=second.before_ms, kept_ms=oldest.kept_ms), *others]
    return tuple(steps)
