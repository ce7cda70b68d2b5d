"""Frames between a deployer and its client: whatever is not one is refused, and nothing is run."""

import json
import socket
from collections.abc import Iterator

import pytest

from feature_platform.engines import flink_frames as frames
from feature_platform.engines.flink_frames import Answer, Channel, FrameError, Request
from feature_platform.errors import RestoreFailedError, SettingsError

ANSWER = {"job_id": "a", "error": "", "kind": ""}
PICKLED = (
    b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        yield ours, theirs


def framed(data: bytes) -> bytes:
    """Return a frame of some bytes."""
    return len(data).to_bytes(4, "big") + data


def test_messages_arrive_as_they_were_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    """Any text, in the order of sending."""
    ours, theirs = pair
    sent = [Request(spec="{}", job_id="a"), Request(spec="äöü \0 \U0001f600" * 1000)]
    for request in sent:
        Channel(theirs).send(request)
    assert [Channel(ours).receive(Request) for _ in sent] == sent


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (framed(b"{"), "not JSON"),
        (framed(b""), "not JSON"),
        (framed(b"\xff\xfe"), "not JSON"),
        (framed(PICKLED), "not JSON"),
        (framed(b"[" * 100_000), "not JSON"),
        (framed(b"[]"), "not a Answer"),
        (framed(b"null"), "not a Answer"),
        (framed(json.dumps({"job_id": "a"}).encode()), "not a Answer"),
        (framed(json.dumps(ANSWER | {"more": ""}).encode()), "not a Answer"),
        (framed(json.dumps(ANSWER | {"error": None}).encode()), "error is not a string"),
        (framed(json.dumps(ANSWER | {"job_id": {"a": 1}}).encode()), "job_id is not a string"),
        (b"\xff\xff\xff\xff", "4,294,967,295 bytes"),
    ],
)
def test_what_is_no_frame_is_refused(
    pair: tuple[socket.socket, socket.socket], data: bytes, said: str
) -> None:
    """At once, and with what came."""
    ours, theirs = pair
    theirs.sendall(data)
    with pytest.raises(FrameError, match=said):
        Channel(ours).receive(Answer)


@pytest.mark.parametrize("data", [b"", b"\x00\x00", framed(b'{"job_id"')[:-3]])
def test_who_hangs_up_is_gone(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    """Between two frames, or in the midst of one."""
    ours, theirs = pair
    theirs.sendall(data)
    theirs.close()
    with pytest.raises(EOFError):
        Channel(ours).receive(Answer)


def test_a_message_that_is_too_long_is_not_sent(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor would it be read."""
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 100)
    with pytest.raises(FrameError, match="the limit is 100"):
        Channel(pair[0]).send(Request(spec="x" * 200))


def test_only_known_errors_are_rebuilt() -> None:
    """By the name of their class; any other name makes none."""
    rebuilt = Answer(error="no file", kind="SettingsError").rebuilt()
    assert isinstance(rebuilt, SettingsError)
    assert str(rebuilt) == "no file"
    assert isinstance(Answer(error="x", kind="RestoreFailedError").rebuilt(), RestoreFailedError)
    for kind in ("", "SystemExit", "KeyError", "FeaturePlatformError", "os.system"):
        assert Answer(error="x", kind=kind).rebuilt() is None
