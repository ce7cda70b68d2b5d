"""Ctrl-C where it counts for nothing, and where a library in C makes an error of it."""

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import pytest

from feature_platform import interrupts
from feature_platform.broker.clients import Clients
from feature_platform.cli import main, schema
from feature_platform.cli.output import EXIT_INTERRUPTED
from feature_platform.settings import KafkaSettings

EVERY_S = 0.001
TIMES = 50


@pytest.fixture(autouse=True)
def _as_in_fp() -> Iterator[None]:
    """Handle it as `fp` does, also in a shell's background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _press_until(end: threading.Event) -> None:
    """Send SIGINT to this process: it arrives within what the main thread does then."""
    while not end.wait(EVERY_S):
        os.kill(os.getpid(), signal.SIGINT)


def _open_clients_until_ctrl_c() -> NoReturn:
    clients, end = Clients(KafkaSettings(port=1)), threading.Event()
    thread = threading.Thread(target=_press_until, args=(end,))
    before = signal.getsignal(signal.SIGINT)

    def once(number: int, frame: FrameType | None) -> None:
        end.set()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert callable(before)
        before(number, frame)

    signal.signal(signal.SIGINT, once)
    thread.start()
    try:
        while True:
            clients.admin()
    finally:
        thread.join()


def test_ctrl_c_while_clients_are_opened_and_freed_stays_ctrl_c() -> None:
    """Without `restored`, librdkafka's client makes a SystemError or a TypeError of most."""
    for _ in range(TIMES):
        with pytest.raises(KeyboardInterrupt), interrupts.restored():
            _open_clients_until_ctrl_c()


@pytest.mark.parametrize("kind", [SystemError, TypeError])
def test_an_error_without_ctrl_c_stays_one(kind: type[Exception]) -> None:
    """A mistake of ours must be seen."""
    with pytest.raises(kind), interrupts.restored():
        raise kind


def test_every_command_says_that_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the code of an interrupted one, whatever the error looks like."""

    def fail(*_: object) -> NoReturn:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemError from None
        raise AssertionError

    monkeypatch.setattr(schema, "say", fail)
    assert main.run(["schema"]) == EXIT_INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def test_what_is_ignored_never_arrives() -> None:
    """As while servers are stopped; then it counts again."""
    with interrupts.ignored():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_threads_keep_the_handlers() -> None:
    """Only the main thread may set them, and only there a signal arrives."""
    seen = []

    def look() -> None:
        with interrupts.restored():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
