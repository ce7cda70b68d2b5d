"""Histories are lines, pinned by a golden file that the kernel reads, too."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_platform.errors import CorruptRowError
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import FOREVER, history, holds

GOLDEN = Path(__file__).parents[2] / "golden" / "history.jsonl"
CASES = 200
SEED = 4


def attempt(number: int, start: int = 0, checkpoint_id: int = 0) -> Attempt:
    """Make an attempt."""
    return Attempt(
        attempt=number,
        execution=f"x/{number}",
        deployment="d",
        kind="stream",
        restore_point=(start, checkpoint_id),
        end_offsets={},
        claimed_ms=number,
    )


def test_the_history_of_a_first_attempt_is_itself() -> None:
    """And the empty table."""
    assert history([attempt(1)], 1) == {1: FOREVER, 0: 0}
    assert history([attempt(1)], 1, 5) == {1: 5, 0: 0}
    assert history([], 0) == {0: 0}


def test_what_a_crash_left_behind_is_off_the_line() -> None:
    """Attempt 2 restored checkpoint 3 of attempt 1 and died; 3 did the same; 4 starts from 3."""
    attempts = [attempt(1), attempt(2, 1, 3), attempt(3, 1, 3), attempt(4, 3, 7)]
    line = history(attempts, 4)
    assert line == {4: FOREVER, 3: 7, 1: 3, 0: 0}
    assert holds(line, (1, 3))
    assert not holds(line, (1, 4))
    assert not holds(line, (2, 1))
    assert holds(line, (3, 1))
    assert holds(line, (0, 0))
    assert not holds(line, (5, 0))


def test_a_lacking_attempt_is_an_error() -> None:
    """Rows that cannot be judged are never taken as they are."""
    with pytest.raises(CorruptRowError, match="lacks attempt 2, from which attempt 3 started"):
        history([attempt(1), attempt(3, 2, 4)], 3)


def test_an_attempt_from_a_later_one_is_an_error() -> None:
    """It would make the line a circle."""
    with pytest.raises(CorruptRowError, match="attempt 2 starts from attempt 2"):
        history([attempt(1), attempt(2, 2, 4)], 2)


def test_histories_are_as_the_golden_file_says() -> None:
    """The kernel judges rows by the same lines."""
    lines = [json.dumps(case, separators=(",", ":")) for case in _cases(random.Random(SEED))]  # noqa: S311
    if os.environ.get("GOLDEN_WRITE"):
        GOLDEN.write_text("\n".join(lines) + "\n")
    assert GOLDEN.read_text().splitlines() == lines


def _cases(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Make random small registries: each attempt starts from an epoch of some earlier one."""
    for _ in range(CASES):
        attempts = [attempt(1)]
        for number in range(2, chance.randint(1, 9) + 1):
            base = chance.choice([0, *range(1, number), *range(1, number)])
            attempts.append(attempt(number, base, chance.randint(0, 9) if base else 0))
        of = chance.randint(0, len(attempts))
        upto = chance.choice([FOREVER, chance.randint(0, 9)]) if of else FOREVER
        line = history(attempts, of, upto)
        epochs = [(chance.randint(0, len(attempts)), chance.randint(0, 11)) for _ in range(6)]
        yield {
            "attempts": [
                {"attempt": item.attempt, "restore_point": list(item.restore_point)}
                for item in attempts
            ],
            "of": of,
            "upto": None if upto == FOREVER else upto,
            "history": {
                str(number): None if checkpoint_id == FOREVER else checkpoint_id
                for number, checkpoint_id in sorted(line.items())
            },
            "holds": [
                [number, checkpoint_id, holds(line, (number, checkpoint_id))]
                for number, checkpoint_id in epochs
            ],
        }
