"""A write's timestamp joins two numbers; one that has run out is refused, never wrapped."""

import pytest

from feature_platform.errors import CallerError
from feature_platform.store.base import write_timestamp, written_by

ATTEMPTS, FLUSHES = 2**20, 2**30


@pytest.mark.parametrize("pair", [(0, 0), (1, 1), (ATTEMPTS - 1, FLUSHES - 1)])
def test_both_are_read_back(pair: tuple[int, int]) -> None:
    """Up to the largest of each."""
    assert written_by(write_timestamp(*pair)) == pair


@pytest.mark.parametrize("pair", [(1, FLUSHES), (ATTEMPTS, 1), (-1, 1), (1, -1)])
def test_a_number_that_has_run_out_is_refused(pair: tuple[int, int]) -> None:
    """It would stand for another attempt's write, or be negative."""
    with pytest.raises(CallerError, match=f"attempt {pair[0]}, flush {pair[1]}: .* new generation"):
        write_timestamp(*pair)
