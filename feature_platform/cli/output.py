"""What the commands say: facts as JSON on standard output, everything else on standard error.

Every text is printed as it is, whoever wrote it: square brackets are no markup, `:smile:` is no
picture, and what would move the cursor, colour the terminal or turn the direction of writing is
shown escaped. Nothing else in the command line makes a `Console`.
"""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text

from feature_platform.errors import FeaturePlatformError

EXIT_FAILED = 1
EXIT_CHECKS_RED = 3
EXIT_INTERRUPTED = 130

_UNSEEN = (
    "\u007f-\u009f"  # delete, and the second set of control characters
    "\u00ad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, marks of direction, no width
    "\u2028-\u202e"  # line and paragraph separators, directions
    "\u2060-\u206f\ufeff\ufff9-\ufffb"  # joiners, directions, byte order mark, annotations
    "\ud800-\udfff"  # halves of a pair
    "\U000e0000-\U000e0fff"  # tags and selectors
)
_UNSEEN_IN_JSON = re.compile(f"[{_UNSEEN}]")
_UNSEEN_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_UNSEEN}]")
_UNSEEN_IN_CELLS = re.compile(f"[\x00-\x1f{_UNSEEN}]")


def escape(text: str) -> str:
    r"""Return a text with what cannot be seen, or does something, as `\x1b`; lines stay lines."""
    return _UNSEEN_IN_LINES.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""Return a text as one line: a line break in it is shown as `\n`."""
    return _UNSEEN_IN_CELLS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class PlainConsole(Console):
    """Prints any text as it is; a style is given by `Text` or `style=`, never inside the text."""

    def __init__(self, *, stderr: bool = False) -> None:
        """Print to standard output, or to standard error."""
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 (rich's own)
        """Turn a text into what is printed."""
        plain = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(escape(text), **{**options, **plain})

    def status(self, status: RenderableType, **options: Any) -> "PlainStatus":  # noqa: ANN401
        """Show a line that turns while something takes its time."""
        return PlainStatus(_plain(status), console=self, **options)


class PlainStatus(Status):
    """A line that turns; rich would read markup in it."""

    def update(self, status: RenderableType | None = None, **options: Any) -> None:  # noqa: ANN401
        """Show another line."""
        super().update(None if status is None else _plain(status), **options)


def _plain(text: RenderableType) -> RenderableType:
    return Text(escape(text)) if isinstance(text, str) else text


console = PlainConsole(stderr=True)
"""Standard error, for people."""

output = PlainConsole()
"""Standard output, for facts that people read."""


def print_json(value: object) -> None:
    """Print a fact for programs; any terminal and any decoder takes it."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    text = json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf"))
    sys.stdout.write(_UNSEEN_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n")


def message(text: str) -> None:
    """Report something to a person; never a fact that a program would look for."""
    console.print(text, soft_wrap=True)


def say(text: str) -> None:
    """Print a fact for people, as it is; lines stay whole."""
    output.print(text, soft_wrap=True)


def complain(text: str) -> None:
    """Report what went wrong, and continue."""
    console.print("error:", style="bold red", end=" ")
    console.print(text, soft_wrap=True)


def fail(error: FeaturePlatformError) -> NoReturn:
    """End with an expected error as one clear message."""
    complain(str(error))
    raise SystemExit(EXIT_FAILED)


def table(*columns: str | Column, **options: Any) -> Table:  # noqa: ANN401 (rich's own)
    """Return an empty table; a long value is broken into lines, never cut."""
    made = Table(**options)
    for column in columns:
        if isinstance(column, str):
            made.add_column(column, overflow="fold")
        else:
            made.add_column(
                column.header, justify=column.justify, overflow="fold", no_wrap=column.no_wrap
            )
    return made


def styled(text: str, style: str) -> Text:
    """Return a text in a style, as it is."""
    return Text(one_line(text), style=style)


def cells(values: Iterable[object]) -> list[str]:
    """Return values as the cells of a row."""
    return [cell(value) for value in values]


def cell(value: object) -> str:
    """Write a value, exactly: every digit of a number, every text on one line."""
    if value is None:
        return "-"
    return one_line(repr(value) if isinstance(value, float) else str(value))
