"""How a long action says what it is doing: its caller hands in what is told each step in words."""

from collections.abc import Callable

Report = Callable[[str], None]
"""Told each step in words before it is done."""


def silent(_: str) -> None:
    """Report nothing."""
