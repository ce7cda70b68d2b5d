"""A live table of servers that start or stop; plain lines where standard error is no terminal."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from feature_platform.cli.output import console, message, one_line, styled
from feature_platform.local.stack import Progress

STYLES = {"up": "green", "stopped": "dim", "failed": "bold red"}


class Board:
    """What each server does right now, with the seconds taken; mutable, fed by several threads."""

    def __init__(self, servers: Sequence[str]) -> None:
        """Begin with every server waiting."""
        self._phases: dict[str, str] = dict.fromkeys(servers, "waiting")
        self._began = time.monotonic()
        self._ended: dict[str, float] = {}
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Self:
        """Show the table."""
        if console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the table's last state on the screen."""
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Take what happened to a server."""
        self._phases[progress.server] = progress.phase
        if progress.phase in STYLES:
            self._ended[progress.server] = time.monotonic() - self._began
        if not console.is_terminal:
            message(f"{progress.server}: {progress.phase}{self._seconds(progress.server)}")

    def waits(self) -> None:
        """Say that another process is starting or stopping servers."""
        message("waiting for another `fp up` or `fp down` of this project to finish")

    @property
    def stopped(self) -> list[str]:
        """The servers that were stopped."""
        return [server for server, phase in self._phases.items() if phase == "stopped"]

    def _seconds(self, server: str) -> str:
        seconds = self._ended.get(server)
        return "" if seconds is None else f" after {seconds:.1f} s"

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for server, phase in self._phases.items():
            if phase in STYLES or phase == "waiting":
                table.add_row(
                    server, styled(f"{phase}{self._seconds(server)}", STYLES.get(phase, "dim"))
                )
            else:
                seconds = time.monotonic() - self._began
                table.add_row(
                    server, Spinner("dots", text=Text(one_line(f"{phase} {seconds:.0f} s")))
                )
        return table
