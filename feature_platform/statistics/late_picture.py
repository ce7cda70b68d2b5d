"""A picture of how late events came: a row for each day, a field for each class of lateness.

It is SVG with nothing from elsewhere, on a ground of its own, so that any page can show it.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import log1p

from feature_platform.statistics.lateness import LATE_MS, DayLate
from feature_platform.tiles.grid import format_duration
from feature_platform.words import short_span

LEFT, CELL, RIGHT, ROW, HEAD = 96, 84, 190, 24, 44
"""Pixels: the names of days, a field, what follows the fields; a row, and what is above all."""
DAYS_MAX = 31
"""The newest days; more rows than that nobody compares."""
PALE, DEEP = (234, 242, 251), (10, 61, 128)
"""Colours of no event, and of as many as the fullest field has."""
LIGHT_FROM = 0.5
"""From this depth of a field's colour on its text is white."""
CLASSES = (*(f"<= {format_duration(each)}" for each in LATE_MS), "more")
"""Names of the classes, as `DayLate.bars` has them."""


def picture(days: Sequence[DayLate]) -> str:
    """Return the picture of some days, the newest at the bottom; empty without days."""
    if not days:
        return ""
    shown = days[-DAYS_MAX:]
    width = LEFT + CELL * len(CLASSES) + RIGHT
    height = HEAD + ROW * len(shown) + 8
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui,sans-serif" font-size="12">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "".join([start, ground, *_head(), *_rows(shown), "</svg>"])


def _head() -> Iterator[str]:
    yield _text(LEFT, 16, "events by how long after their own time the broker got them", "start")
    for place, name in enumerate(CLASSES):
        yield _text(LEFT + CELL * place + CELL / 2, 36, name)
    after = LEFT + CELL * len(CLASSES)
    for place, name in enumerate(("p50", "p99", "latest")):
        yield _text(after + 60 * place + 52, 36, name, "end")


def _rows(days: Sequence[DayLate]) -> Iterator[str]:
    most = max(max(each.bars) for each in days) or 1
    for number, each in enumerate(days):
        top = HEAD + ROW * number
        yield _text(LEFT - 8, top + 16, each.date, "end")
        for place, events in enumerate(each.bars):
            depth = log1p(events) / log1p(most)
            colour = "#ffffff" if depth > LIGHT_FROM else "#1b1f24"
            left = LEFT + CELL * place
            yield (
                f'<rect x="{left + 1}" y="{top + 1}" width="{CELL - 2}" height="{ROW - 2}" '
                f'fill="{_colour(depth)}"/>'
            )
            if events:
                yield _text(left + CELL / 2, top + 16, f"{events:,}", "middle", colour)
        after = LEFT + CELL * len(CLASSES)
        for place, measure in enumerate(("p50", "p99", "max")):
            told = short_span(each.measures.get(measure))
            yield _text(after + 60 * place + 52, top + 16, told, "end")


def _colour(depth: float) -> str:
    parts = (round(pale + (deep - pale) * depth) for pale, deep in zip(PALE, DEEP, strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _text(
    left: float, base: float, text: str, anchor: str = "middle", colour: str = "#1b1f24"
) -> str:
    return (
        f'<text x="{left:g}" y="{base:g}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
