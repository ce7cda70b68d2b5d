"""What each server of the embedded stack promises to the stack that starts it."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from feature_platform.local.process import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A loopback port a server listens at, with the setting that changes it."""

    number: int
    setting: str


class Server(Protocol):
    """One real server of one or more processes.

    Everything is idempotent: a start that was interrupted is simply made again.
    """

    name: str
    process_names: tuple[str, ...]
    """Its processes, in start order."""
    alone: tuple[str, ...]
    """Those of them that can be started again while the others run."""
    start_timeout_s: float

    @property
    def address(self) -> str:
        """Where people and clients reach it."""
        ...

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports that must be free before it starts."""
        ...

    def prepare(self, java_home: Path) -> tuple[Command, ...]:
        """Fetch its jars, write its configuration, format its storage.

        Returns:
            Its processes, in start order.

        Raises:
            ServerError: Something that it needs is missing.
        """
        ...

    def answers(self) -> bool:
        """Make a real request and return whether it was served; set up what a first start needs.

        May block for some seconds. False means: not yet.

        Raises:
            ServerError: It answered that it will never be ready.
        """
        ...


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a port accepts connections, before a client library complains."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
