"""The tile grid: ascending levels, UTC-aligned half-open tiles. The only `floor` of the project.

Levels are numbered from 0, the finest. `lifetime` is numbered after the last one; its one tile
starts at 0.
"""

import re
from dataclasses import dataclass

MINUTE_MS = 60_000
DAY_MS = 86_400_000
_UNITS_MS = {"s": 1_000, "m": MINUTE_MS, "h": 3_600_000, "d": DAY_MS}
DURATION = re.compile(r"(\d{1,9})(s|m|h|d)")
DEFAULT_LEVELS = ("1m", "5m", "30m", "3h", "1d", "5d")


def parse_duration_ms(text: str) -> int:
    """Read a duration such as `90s`, `30m`, `2h`, `5d`.

    Raises:
        ValueError: The text has another form or is zero.
    """
    match = DURATION.fullmatch(text.strip())
    value = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if value == 0:
        remedy = "write a positive number and a unit, such as 90s, 30m, 2h or 5d"
        msg = f"{text!r} is not a duration; {remedy}"
        raise ValueError(msg)
    return value


def format_duration(duration_ms: int) -> str:
    """Write a duration in the largest unit that divides it: 7200000 is `2h`."""
    for unit in ("d", "h", "m", "s"):
        if duration_ms % _UNITS_MS[unit] == 0:
            return f"{duration_ms // _UNITS_MS[unit]}{unit}"
    return f"{duration_ms}ms"


def floor_ms(time_ms: int, length_ms: int) -> int:
    """Return the start of the tile of this length that holds the instant."""
    return time_ms - time_ms % length_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The levels of a feature set and how many of their newest tiles its head row holds.

    Invariants:
        1. lengths ascend;
        2. each length is a multiple of the one before, so a tile never crosses a longer one's edge;
        3. `depth` has one entry of at least 1 for each level.
    """

    levels_ms: tuple[int, ...]
    depth: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the invariants.

        Raises:
            ValueError: One does not hold; the text says which.
        """
        if not self.levels_ms or len(self.depth) != len(self.levels_ms) or min(self.depth) < 1:
            msg = f"a grid needs levels, and a depth of at least 1 for each: {self}"
            raise ValueError(msg)
        for finer, coarser in zip(self.levels_ms, self.levels_ms[1:], strict=False):
            if coarser <= finer or coarser % finer:
                msg = (
                    f"level {format_duration(coarser)} must be a multiple of the level before it, "
                    f"{format_duration(finer)}, and longer"
                )
                raise ValueError(msg)

    @classmethod
    def of(cls, levels: tuple[str, ...] = DEFAULT_LEVELS, *, finest_depth: int = 3) -> "Grid":
        """Make a grid whose heads hold `finest_depth` finest tiles, and one of each other level."""
        lengths = tuple(parse_duration_ms(level) for level in levels)
        return cls(levels_ms=lengths, depth=(finest_depth, *(1 for _ in lengths[1:])))

    @property
    def lifetime_level(self) -> int:
        """The number that stands for `lifetime` in a head."""
        return len(self.levels_ms)

    def level_name(self, level: int) -> str:
        """Write a level as people do: `1m`, `5d`, `lifetime`."""
        if level == self.lifetime_level:
            return "lifetime"
        return format_duration(self.levels_ms[level])

    def floor(self, time_ms: int, level: int) -> int:
        """Return the start of the level's tile that holds the instant."""
        return floor_ms(time_ms, self.levels_ms[level])

    def head_oldest_ms(self, newest_ms: int, level: int) -> int:
        """Return the start of the oldest slot that a head holds at this level.

        Args:
            newest_ms: Start of the entity's newest finest tile (or any instant in it).
            level: The level asked about.
        """
        return self.floor(newest_ms, level) - (self.depth[level] - 1) * self.levels_ms[level]

    def levels_for_window(self, window_ms: int) -> tuple[int, ...]:
        """Return the levels whose tiles can be in a cover of this window, finest first."""
        return tuple(i for i, length in enumerate(self.levels_ms) if length <= window_ms)
