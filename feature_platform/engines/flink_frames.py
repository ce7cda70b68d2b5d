"""What a deployer and its Flink client say to each other: JSON in frames, over a Unix socket.

A frame is its length, four bytes, and an object of texts in UTF-8. Whatever else comes is refused:
nothing that is read becomes code, and a length that is too large is never waited for.
"""

import json
import socket
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from feature_platform.errors import (
    FeaturePlatformError,
    JobFailedError,
    RestoreFailedError,
    ServerError,
    SettingsError,
)

FRAME_BYTES_MAX = 64 * 1024 * 1024
LENGTH_BYTES = 4
KINDS = {
    kind.__name__: kind for kind in (JobFailedError, RestoreFailedError, ServerError, SettingsError)
}
"""Errors that may be rebuilt from an answer; any other is one of the job."""


class FrameError(Exception):
    """The other side does not speak this protocol; the message says what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Build the graph of a job spec, and submit it if it has an id."""

    spec: str
    """The job spec, JSON."""
    job_id: str = ""
    restore_path: str = ""
    """Savepoint or checkpoint to start from; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request."""

    job_id: str = ""
    """The id that the cluster has accepted; empty if there is none."""
    error: str = ""
    """Why there is none: a message, or a trace."""
    kind: str = ""
    """Name of the error's class; empty if there is no error."""

    def rebuilt(self) -> FeaturePlatformError | None:
        """Return the platform's own error, if it is one that may be rebuilt."""
        kind = KINDS.get(self.kind)
        return kind(self.error) if kind else None


Message = TypeVar("Message", Request, Answer)


class Channel:
    """One side of an open connection; its socket is the caller's to close."""

    def __init__(self, connected: socket.socket) -> None:
        """Speak over a socket, whose timeout holds for each part of a frame."""
        self._socket = connected

    def send(self, message: Request | Answer) -> None:
        """Send a message.

        Raises:
            FrameError: It is too long.
            OSError: The other side is gone, or does not read.
        """
        data = json.dumps(asdict(message)).encode()
        if len(data) > FRAME_BYTES_MAX:
            msg = f"message of {len(data):,} bytes; the limit is {FRAME_BYTES_MAX:,}"
            raise FrameError(msg)
        self._socket.sendall(len(data).to_bytes(LENGTH_BYTES, "big") + data)

    def receive(self, kind: type[Message]) -> Message:
        """Wait for a message of a kind.

        Raises:
            EOFError: The other side hung up, between two frames or in the midst of one.
            FrameError: Something else came.
            OSError: The other side is gone, or does not answer.
        """
        length = int.from_bytes(self._read(LENGTH_BYTES), "big")
        if length > FRAME_BYTES_MAX:
            msg = f"frame of {length:,} bytes; the limit is {FRAME_BYTES_MAX:,}"
            raise FrameError(msg)
        try:
            found = json.loads(self._read(length))
        except (ValueError, RecursionError) as error:
            msg = f"a frame of {length:,} bytes is not JSON: {error}"
            raise FrameError(msg) from error
        return _made(kind, found)

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._socket.recv(min(size - len(parts), 1 << 16))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


def _made(kind: type[Message], found: object) -> Message:
    names = {field.name for field in fields(kind)}
    if not isinstance(found, dict) or set(found) != names:
        what = sorted(found) if isinstance(found, dict) else type(found).__name__
        msg = f"not a {kind.__name__}, which has {sorted(names)}: {what}"
        raise FrameError(msg)
    if odd := [name for name, value in found.items() if not isinstance(value, str)]:
        msg = f"a {kind.__name__} whose {odd[0]} is not a string"
        raise FrameError(msg)
    return kind(**found)
