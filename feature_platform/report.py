"""How a long action says what it is doing: its caller passes what is called with each step."""

from collections.abc import Callable

Report = Callable[[str], None]
"""Called with each step in words before it is done."""


def silent(_: str) -> None:
    """Report nothing."""
