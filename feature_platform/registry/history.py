"""The history of an epoch: which writes its rows hold, and which a crash left behind. Pure.

An epoch is (attempt, checkpoint id). What an attempt has written up to an epoch builds on its
restore point, so a history is a line, and whatever is off it stays recognisable.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from feature_platform.errors import CorruptRowError
from feature_platform.registry.base import Attempt, Epoch

FOREVER: Final = 2**62
"""Instead of a checkpoint id, of an attempt that counts whole: larger than any real one."""

GENESIS: Final[Epoch] = (0, 0)
"""The empty table; it is in every history."""

History = Mapping[int, int]
"""For each attempt of the line the last checkpoint id that counts."""


def history(attempts: Iterable[Attempt], of: int, upto: int = FOREVER) -> dict[int, int]:
    """Return the history of an epoch: attempt `of` up to `upto`, then that of its restore point.

    Args:
        attempts: All attempts of the generation.
        of: The attempt; 0 for the empty table.
        upto: Its last checkpoint id that counts; without it, all of them.

    Raises:
        CorruptRowError: The registry lacks an attempt of the line, or a restore point is not older.
    """
    rows = {attempt.attempt: attempt for attempt in attempts}
    line: dict[int, int] = {}
    attempt, checkpoint_id = of, upto
    while attempt:
        line[attempt] = checkpoint_id
        if attempt not in rows:
            msg = (
                f"the registry lacks attempt {attempt}, from which attempt {of} started, so its "
                "rows cannot be told apart from those of a crash: restore the table of attempts"
            )
            raise CorruptRowError(msg)
        began_at = rows[attempt].restore_point
        if began_at[0] >= attempt:
            msg = f"attempt {attempt} starts from attempt {began_at[0]}, which is not earlier"
            raise CorruptRowError(msg)
        attempt, checkpoint_id = began_at
    return line | {GENESIS[0]: GENESIS[1]}


def holds(line: History, epoch: Epoch) -> bool:
    """Return whether an epoch is in a history."""
    attempt, checkpoint_id = epoch
    return line.get(attempt, -1) >= checkpoint_id


def last_rewrite(attempts: Iterable[Attempt], line: History) -> int:
    """Return the newest attempt of a line that is no job; 0 for none.

    A sweep, backfill or repair writes without undo rows: nothing before it can be gone back to.
    """
    alive = (item for item in attempts if item.attempt in line)
    return max((item.attempt for item in alive if item.kind != "stream"), default=0)
