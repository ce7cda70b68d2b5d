"""Draws architecture.svg: `python docs/pictures/architecture.py`.

The picture is data at the top of this file; it has one set of colours for light pages and one for
dark ones. `tests/test_docs.py` checks that the committed file is what this script draws.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1040, 522
BOX_H = 58

STYLE = """
  svg { font-family: -apple-system, "Segoe UI", Inter, Helvetica, Arial, sans-serif; }
  .lane { fill: #f6f8fa; stroke: #d0d7de; }
  .job { fill: none; stroke: #0969da; stroke-dasharray: 5 4; }
  .box { fill: #ffffff; stroke: #8c959f; }
  .own { fill: #ddf4ff; stroke: #0969da; }
  .title { fill: #1f2328; font-size: 14px; font-weight: 600; }
  .note { fill: #59636e; font-size: 11.5px; }
  .name { fill: #59636e; font-size: 12px; font-weight: 600; letter-spacing: 0.04em; }
  .arrow { fill: none; stroke: #59636e; stroke-width: 1.5; }
  .tip { fill: #59636e; }
  @media (prefers-color-scheme: dark) {
    .lane { fill: #151b23; stroke: #3d444d; }
    .job { stroke: #4493f8; }
    .box { fill: #0d1117; stroke: #656c76; }
    .own { fill: #121d2f; stroke: #4493f8; }
    .title { fill: #f0f6fc; }
    .note, .name { fill: #9198a1; }
    .arrow { stroke: #9198a1; }
    .tip { fill: #9198a1; }
  }
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the system; `own` parts are the platform's, the others are servers and people."""

    x: int
    y: int
    width: int
    title: str
    note: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way from point to point, with an optional word at a place."""

    points: tuple[tuple[int, int], ...]
    word: str = ""
    word_at: tuple[int, int] = (0, 0)


LANES = (
    (20, 20, 1000, 104, "DEFINITIONS"),
    (20, 144, 1000, 226, "STREAM"),
    (20, 390, 1000, 112, "BATCH"),
)
JOB = (206, 172, 442, 106)

BOXES = (
    Box(40, 52, 168, "featuresets/*.yaml", "one SQL query each"),
    Box(252, 52, 168, "check and render", "for Flink and Spark", own=True),
    Box(464, 52, 168, "plan", "what changes, what it costs", own=True),
    Box(676, 52, 324, "apply", "fp, a Dagster asset, or a push to Git", own=True),
    Box(40, 204, 120, "Kafka", "events of a source"),
    Box(222, 204, 120, "intake", "bytes to events", own=True),
    Box(366, 204, 120, "Flink SQL", "the query"),
    Box(510, 204, 122, "tile kernel", "exact tile rows", own=True),
    Box(696, 204, 142, "Cassandra", "or ScyllaDB: tiles, undo"),
    Box(880, 204, 120, "Python client", "used by rankers", own=True),
    Box(222, 298, 120, "dead letters", "a topic of their own"),
    Box(40, 428, 168, "event log", "every record, in Parquet", own=True),
    Box(304, 428, 244, "Spark", "the same query, parser and encoder"),
    Box(696, 428, 304, "check and repair", "stored rows against recomputed ones", own=True),
)

ARROWS = (
    Arrow(((208, 81), (252, 81))),
    Arrow(((420, 81), (464, 81))),
    Arrow(((632, 81), (676, 81))),
    Arrow(
        ((735, 110), (735, 134), (571, 134), (571, 172)), "starts and upgrades the job", (581, 162)
    ),
    Arrow(((160, 233), (222, 233))),
    Arrow(((342, 233), (366, 233))),
    Arrow(((486, 233), (510, 233))),
    Arrow(((632, 233), (696, 233))),
    Arrow(((838, 233), (880, 233))),
    Arrow(((282, 262), (282, 298))),
    Arrow(((130, 262), (130, 428)), "archive", (138, 408)),
    Arrow(((208, 457), (304, 457))),
    Arrow(((548, 446), (672, 446), (672, 326), (746, 326), (746, 262)), "backfill", (684, 318)),
    Arrow(((548, 468), (696, 468))),
    Arrow(((800, 262), (800, 428)), "as of a cut", (808, 408)),
)

NOTES = (
    (222, 193, "one Flink job per feature set"),
    (366, 322, "the job's state can be rebuilt from the store"),
    (366, 340, "an event that cannot be counted stops nothing"),
)


def box(part: Box) -> str:
    """Return a box with its title and note."""
    middle = part.x + part.width // 2
    kind = "own" if part.own else "box"
    return (
        f'<rect class="{kind}" x="{part.x}" y="{part.y}" width="{part.width}" height="{BOX_H}" '
        f'rx="6"/>\n'
        f'<text class="title" x="{middle}" y="{part.y + 26}" text-anchor="middle">'
        f"{escape(part.title)}</text>\n"
        f'<text class="note" x="{middle}" y="{part.y + 44}" text-anchor="middle">'
        f"{escape(part.note)}</text>"
    )


def arrow(way: Arrow) -> str:
    """Return a line with a tip, and its word."""
    points = " ".join(f"{x},{y}" for x, y in way.points)
    line = f'<polyline class="arrow" points="{points}" marker-end="url(#tip)"/>'
    if not way.word:
        return line
    return f"{line}\n{note(*way.word_at, way.word)}"


def lane(x: int, y: int, width: int, height: int, name: str) -> str:
    """Return a band with its name."""
    return (
        f'<rect class="lane" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>\n'
        f'<text class="name" x="{x + 20}" y="{y + 20}">{escape(name)}</text>'
    )


def note(x: int, y: int, text: str) -> str:
    """Return a line of small text."""
    return f'<text class="note" x="{x}" y="{y}">{escape(text)}</text>'


def draw() -> str:
    """Return the whole picture."""
    x, y, width, height = JOB
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    tip = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>How definitions become jobs, and events become served features</title>",
        f"<style>{STYLE}</style>",
        f'<marker id="tip" {tip}><path class="tip" d="M0,0 L8,4 L0,8 z"/></marker>',
        *(lane(*band) for band in LANES),
        f'<rect class="job" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>',
        *map(arrow, ARROWS),
        *map(box, BOXES),
        *(note(*line) for line in NOTES),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "architecture.svg").write_text(draw())
