"""Ctrl-C: ignored while something must be whole, and restored where a library made it an error."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and the request to end, which `fp` takes for the same."""
DISGUISES = (SystemError, TypeError)
"""What CPython and extensions in C raise where they find that an exception is set already."""

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore it, as while servers are stopped."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def restored() -> Iterator[None]:
    """Raise KeyboardInterrupt where a Ctrl-C came out as an error of a library in C.

    The exception of one that comes while a client of librdkafka's is freed (confluent-kafka 2.16)
    stays set; the next call, of whatever, raises SystemError or TypeError in its place.

    Raises:
        KeyboardInterrupt: It was pressed.
    """
    pressed = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    with _handled_by(interrupt):
        try:
            yield
        except DISGUISES as error:
            if pressed:
                raise KeyboardInterrupt from error
            raise


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # a signal arrives in the main thread alone
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    python = {number: own for number, own in before.items() if own is not None}
    for number in python:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, own in python.items():
            signal.signal(number, own)
