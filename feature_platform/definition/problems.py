"""Collects the mistakes of one file, and words the hints that their messages end with."""

import difflib
from collections.abc import Iterable
from typing import Protocol

from feature_platform.errors import Problem


class Place(Protocol):
    """Anything that knows where in its file it is."""

    @property
    def line(self) -> int:
        """Line, counted from 1."""
        ...

    @property
    def column(self) -> int:
        """Column, counted from 1."""
        ...


class Problems:
    """The mistakes found so far in one file (mutable)."""

    def __init__(self, file: str) -> None:
        """Start with none."""
        self.file = file
        self.found: list[Problem] = []

    def add(self, place: Place, message: str) -> None:
        """Keep one more mistake."""
        problem = Problem(file=self.file, line=place.line, column=place.column, message=message)
        if problem not in self.found:
            self.found.append(problem)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest known name, or nothing if none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[near[0]]}`?" if near else ""


def listing(names: Iterable[str]) -> str:
    """Write names as `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    head, last = quoted[:-1], quoted[-1:]
    return " and ".join([", ".join(head), *last]) if head else "".join(last)
