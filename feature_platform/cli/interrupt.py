"""Ctrl-C: a command that is interrupted says what it leaves behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from feature_platform.cli.output import EXIT_INTERRUPTED, message
from feature_platform.interrupts import restored


@contextmanager
def interruptible(words: Callable[[], str]) -> Iterator[None]:
    """End an interrupted command with what it leaves behind, after it has tidied up.

    Raises:
        SystemExit: It was interrupted; the code is 130.
    """
    try:
        with restored():
            yield
    except KeyboardInterrupt:
        message(f"interrupted: {words()}")
        raise SystemExit(EXIT_INTERRUPTED) from None
