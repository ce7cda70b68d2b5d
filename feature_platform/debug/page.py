"""The page of a look at one entity: a file by itself, with a picture of events and tiles over time.

Nothing is loaded from elsewhere; every text of the outside is escaped.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from feature_platform.clock import to_iso
from feature_platform.debug.report import DebugReport, TileLine

WIDTH, LEFT, BARS_HEIGHT, LANE = 960, 70, 90, 18
"""Pixels: of the picture, its left margin, the events' bars, and a lane of tiles."""
MARKS = {"fine": "&#10003;", "wrong": "&#10007;", "note": "!", "unknown": "?"}
STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;
color:#1b1f24;background:#fff}
h1{font-size:1.35em;margin:0 0 .2em}h2{font-size:1.05em;margin:1.6em 0 .4em}
.verdict{padding:.7em 1em;border-radius:6px;margin:.8em 0}
.verdict.wrong{background:#ffebe9;border:1px solid #cf222e}
.verdict.fine{background:#dafbe1;border:1px solid #1a7f37}
.verdict.unknown{background:#fff8c5;border:1px solid #9a6700}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25em .6em;border-bottom:1px solid #d0d7de;vertical-align:top}
th{font-weight:600;background:#f6f8fa}td.value{font-family:ui-monospace,monospace;font-size:12px;
overflow-wrap:anywhere}td.time{white-space:nowrap}
.wrong b,.differs{color:#cf222e}.fine b{color:#1a7f37}
.note b,.unknown b{color:#9a6700}ul{margin:.2em 0;padding-left:1.2em}
svg{width:100%;height:auto;background:#f6f8fa;border-radius:6px}
svg text{font:11px system-ui,sans-serif;fill:#57606a}
"""


def page(found: DebugReport) -> str:
    """Return the page as HTML."""
    state = found.first.state if found.first else "fine"
    if state == "fine" and any(link.state == "unknown" for link in found.links):
        state = "unknown"
    title = f"{found.featureset} {found.entity}"
    step = found.next_step
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1><div>as of {to_iso(found.at_ms)}</div>",
        f'<div class="verdict {state}">{escape(found.verdict)}',
        f"<br>Next: {escape(step)}" if step else "",
        "</div>",
        *_links(found),
        *_picture(found),
        *_values(found),
        *_tiles(found),
        *_events(found),
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _links(found: DebugReport) -> Iterator[str]:
    yield "<h2>From event to served value</h2><table>"
    for link in found.links:
        details = "".join(f"<li>{escape(each)}</li>" for each in link.details)
        yield (
            f"<tr class={link.state}><td><b>{MARKS[link.state]}</b></td><td>{link.place}</td>"
            f"<td>{escape(link.summary)}{f'<ul>{details}</ul>' if details else ''}</td></tr>"
        )
    yield "</table>"


def _picture(found: DebugReport) -> Iterator[str]:
    """Draw events as bars, and below them a lane of tiles for each level."""
    if not found.bars:
        return
    start_ms = found.bars[0].start_ms
    end_ms = max(found.bars[-1].start_ms + found.bars[-1].length_ms, found.at_ms)
    lanes = list(dict.fromkeys(tile.level for tile in found.tiles if tile.length_ms))
    height = BARS_HEIGHT + LANE * (len(lanes) + 2) + 10

    def x(time_ms: int) -> float:
        share = (time_ms - start_ms) / max(1, end_ms - start_ms)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - 10)

    yield "<h2>Events and tiles over time</h2>"
    yield f'<svg viewBox="0 0 {WIDTH} {height}" role=img aria-label="events over time">'
    most = max(bar.events for bar in found.bars)
    yield f"<text x=4 y=14>events</text><text x=4 y=28>up to {most:,}</text>"
    for bar in found.bars:
        width = max(1.0, x(bar.start_ms + bar.length_ms) - x(bar.start_ms) - 0.5)
        bottom = float(BARS_HEIGHT)
        parts = (("#2da44e", bar.counted), ("#cf222e", bar.refused), ("#8c959f", bar.left_out))
        for colour, number in parts:
            size = number / most * (BARS_HEIGHT - 8)
            bottom -= size
            if number:
                told = f"{number:,} from {to_iso(bar.start_ms)}"
                yield _box(x(bar.start_ms), bottom, width, size, colour, told)
    for place, level in enumerate(lanes):
        top = BARS_HEIGHT + LANE * place + 6
        yield f"<text x=4 y={top + 10}>{escape(level)}</text>"
        for tile in found.tiles:
            if tile.level == level:
                left, right = x(tile.start_ms), x(tile.start_ms + tile.length_ms)
                colour = "#cf222e" if tile.differs else _COLOURS[tile.place]
                yield _box(left, top, max(1.0, right - left - 0.5), LANE - 6, colour, _words(tile))
    base = BARS_HEIGHT + LANE * (len(lanes) + 1)
    yield f"<text x={LEFT} y={base}>{to_iso(start_ms)}</text>"
    yield f"<text x={WIDTH - 10} y={base} text-anchor=end>{to_iso(end_ms)}</text>"
    yield (
        f"<text x={LEFT} y={base + LANE}>green: counted events, stored tiles; red: dead letters, "
        "tiles that differ; grey: left out by the query; blue: tiles in the head</text></svg>"
    )


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
_COLOURS = {"head": "#54aeff", "row": "#2da44e", "missing": "#d0d7de"}


def _box(left: float, top: float, width: float, height: float, colour: str, told: str) -> str:
    return (
        f'<rect x={left:.1f} y={top:.1f} width={width:.1f} height={height:.1f} fill="{colour}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _words(tile: TileLine) -> str:
    return (
        f"{tile.level} of {to_iso(tile.start_ms)}: stored {json.dumps(tile.stored)}, its events "
        f"say {json.dumps(tile.expected)}"
    )


def _values(found: DebugReport) -> Iterator[str]:
    yield from _table(
        "Served values",
        ("value", "served", "its events say", ""),
        (
            (each.name, _json(each.served), _json(each.recomputed), each.state)
            for each in found.values
        ),
    )


def _tiles(found: DebugReport) -> Iterator[str]:
    wrong = [tile for tile in found.tiles if tile.differs]
    if wrong:
        yield from _table(
            "Tiles that differ",
            ("level", "start", "place", "attempt/flush", "stored", "its events say"),
            (
                (
                    tile.level,
                    to_iso(tile.start_ms),
                    tile.place,
                    tile.writer,
                    _json(tile.stored),
                    _json(tile.expected),
                )
                for tile in wrong
            ),
        )


def _events(found: DebugReport) -> Iterator[str]:
    left = found.events_total - len(found.events)
    older = f", {left:,} older ones are not listed" if left else ""
    yield from _table(
        f"The newest {len(found.events):,} of its {found.events_total:,} events{older}",
        ("event", "time", "reached the broker", "expected", "in", "as sent"),
        (
            (
                f"{each.origin} {each.place}",
                to_iso(each.time_ms),
                to_iso(each.appended_ms),
                " ".join(part for part in (each.reason or each.outcome, each.hint) if part),
                ", ".join(each.features),
                each.value,
            )
            for each in reversed(found.events)
        ),
    )


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2><table><tr>"
    yield "".join(f"<th>{escape(each)}</th>" for each in head) + "</tr>"
    for row in rows:
        differs = " class=differs" if "differs" in row else ""
        cells = "".join(f'<td class="value{_kind(each)}">{escape(each)}</td>' for each in row)
        yield f"<tr{differs}>{cells}</tr>"
    yield "</table>"


def _kind(cell: str) -> str:
    return " time" if _TIME.fullmatch(cell) else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
