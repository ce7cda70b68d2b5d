"""`fp produce` reads any file, a line at a time, and can be continued where it was interrupted."""

import io
import os
import threading
import tracemalloc
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import pytest

from feature_platform.broker import sender
from feature_platform.broker.sender import Tally
from feature_platform.cli.lines import LINE_BYTES_MAX, read_lines
from tests.unit.cli.running import RunFp

EVENTS = [f'{{"item": "{number}", "ts": {number}}}'.encode() for number in range(1, 8)]


class FakeSender:
    """Takes events; one of them may be refused, and Ctrl-C may come at another."""

    taken: ClassVar[list[bytes]] = []
    refuses: ClassVar[bytes] = b""
    interrupted_at: ClassVar[int] = -1

    def __init__(self, *_: object) -> None:
        """Begin with nothing."""
        self.tally = Tally()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Everything is acknowledged."""

    def send(self, event: bytes) -> None:
        """Take an event."""
        if self.tally.sent + self.tally.refused == self.interrupted_at:
            raise KeyboardInterrupt
        if event == self.refuses:
            self.tally.refuse("too large")
        else:
            self.taken.append(event)
            self.tally.sent += 1


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was sent instead of to Kafka."""
    monkeypatch.setattr(sender, "EventSender", FakeSender)
    monkeypatch.setattr(FakeSender, "taken", [])
    monkeypatch.setattr(FakeSender, "refuses", b"")
    monkeypatch.setattr(FakeSender, "interrupted_at", -1)
    return FakeSender.taken


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\r\n\r\n \t \nb", [b"a", b"b"]),
        (b"a\x0cb\x0b\x1c\xe2\x80\xa8c\xc2\x85d\re", [b"a\x0cb\x0b\x1c\xe2\x80\xa8c\xc2\x85d\re"]),
        (b"b\n\xef\xbb\xbfa", [b"b", b"\xef\xbb\xbfa"]),
        (b"", []),
        (b"\n\n\n", []),
        (b"12345678\nb", [None, b"b"]),
        (b"b\n12345678", [b"b", None]),
        (b"1234567\n7654321", [b"1234567", b"7654321"]),
        (b"x" * 1000 + b"\nb\n" + b"y" * 8, [None, b"b", None]),
    ],
)
def test_a_line_ends_at_a_line_feed_and_nowhere_else(data: bytes, lines: list[bytes]) -> None:
    """One that is too long is passed over, the next one is read."""
    limit = 7 if lines != [data] else len(data)
    assert [line for _, line in read_lines(io.BytesIO(data), limit=limit)] == lines


def test_a_file_without_line_breaks_is_not_read_into_memory(
    fp: RunFp, folder: Path, taken: list[bytes]
) -> None:
    """It is refused with the name of the limit, and what comes after it is sent."""
    file = folder / "long.jsonl"
    with file.open("wb") as stream:
        stream.truncate(16 * LINE_BYTES_MAX)
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + EVENTS[0] + b"\n")
    tracemalloc.start()
    ran = fp("produce", "events", "--file", str(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (ran.code, taken) == (1, [EVENTS[0]])
    assert "LINE_BYTES_MAX" in ran.messages
    assert peak < 5 * LINE_BYTES_MAX


def test_a_pipe_can_be_moved_to_now(fp: RunFp, folder: Path, taken: list[bytes]) -> None:
    """It cannot be read twice, so it is copied: `<(zcat ...)`, /dev/stdin."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\n".join(EVENTS),))
    writer.start()
    ran = fp("produce", "events", "--file", str(pipe), "--shift-to-now")
    writer.join()
    assert (ran.code, len(taken)) == (0, len(EVENTS))
    assert all(b'"ts": 1' in event and len(event) > len(EVENTS[0]) for event in taken)


@pytest.mark.parametrize("at", range(len(EVENTS)))
def test_an_interrupted_one_is_continued_without_loss_or_repetition(
    fp: RunFp, folder: Path, taken: list[bytes], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """By the command that it names; what was refused counts, too."""
    file = folder / "my events.jsonl"
    file.write_bytes(b"\n\n".join(EVENTS))
    monkeypatch.setattr(FakeSender, "refuses", EVENTS[2])
    monkeypatch.setattr(FakeSender, "interrupted_at", at)
    ran = fp("produce", "events", "--file", str(file), "--rate", "100000")
    assert ran.code == 130
    command = f"fp produce events --file '{file}' --skip {at} --rate 100000"
    assert f"interrupted; to send the rest: {command}\n" in ran.messages
    monkeypatch.setattr(FakeSender, "interrupted_at", -1)
    fp("produce", "events", "--file", str(file), "--skip", str(at))
    assert taken == [event for event in EVENTS if event != EVENTS[2]]


def test_more_can_be_skipped_than_there_is(fp: RunFp, folder: Path, taken: list[bytes]) -> None:
    """Then nothing is left to send."""
    file = folder / "events.jsonl"
    file.write_bytes(b"\n".join(EVENTS))
    ran = fp("produce", "events", "--file", str(file), "--skip", "100")
    assert (ran.code, ran.out, taken) == (0, "0 events sent to events, 0 refused\n", [])
