"""Shows the demo: a live table of features changing at a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from feature_platform.rows.partials import Value

PLAIN_EVERY_S = 5.0
"""Without a terminal, a picture becomes a line at most so often."""

LIST_ITEMS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is to be seen at one moment."""

    headline: str
    """How far the replay is."""
    jobs: Mapping[str, str]
    """How each feature set's job is doing."""
    features: Mapping[str, Mapping[str, Mapping[str, Value]]]
    """By feature set and entity, some served values."""


@dataclass(slots=True, kw_only=True)
class Screen:
    """What the demo says and shows (mutable); nothing but this module knows about terminals."""

    console: Console
    title: str
    _live: Live | None = None
    _next_line_s: float = 0.0
    _before: Picture | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last picture where it is."""
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Say something that stays readable above the pictures."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, picture: Picture) -> None:
        """Show the next picture; values that changed stand out."""
        if self._live:
            self._live.update(_render(self.title, picture, self._before), refresh=True)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + PLAIN_EVERY_S
            self.say(_line(picture))
        self._before = picture


def _render(title: str, picture: Picture, before: Picture | None) -> RenderableType:
    tables = [
        _table(name, entities, picture.jobs.get(name, ""), before)
        for name, entities in picture.features.items()
    ]
    return Panel(Group(Text(picture.headline, style="bold"), *tables), title=Text(title))


def _table(
    name: str, entities: Mapping[str, Mapping[str, Value]], job: str, before: Picture | None
) -> Table:
    names = list(next(iter(entities.values()), {}))
    title = Text.assemble(f"{name}  ", (job, "dim"))
    table = Table(title=title, title_justify="left", expand=True)
    table.add_column("entity", style="bold")
    for feature in names:
        table.add_column(feature, justify="right", overflow="fold")
    for entity, values in entities.items():
        old = before.features.get(name, {}).get(entity, {}) if before else {}
        cells = [_cell(values.get(feature), old.get(feature)) for feature in names]
        table.add_row(entity, *cells)
    return table


def _cell(value: Value, old: Value) -> Text:
    return Text(write(value), style="" if value == old else "bold green")


def write(value: Value) -> str:
    """Write a value as short as it can be read."""
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2f}"
        case list():
            return " ".join(str(item) for item in value[:LIST_ITEMS_MAX])


def _line(picture: Picture) -> str:
    parts = [picture.headline]
    for entities in picture.features.values():
        entity, values = next(iter(entities.items()), ("", {}))
        shown = ", ".join(f"{name} {write(value)}" for name, value in values.items())
        parts.append(f"{entity}: {shown}")
    return " | ".join(parts)
