"""How fast logged commands go into ClickHouse, embedded, and how long a question about one takes.

Blocks as a job writes them, of five columns, are made beforehand and handed over from memory: what
Kafka takes is measured elsewhere. Entities are drawn so that a few are very frequent. Sums are
compared with those of numpy first. Needs no servers; the last line printed is one JSON object with
the goals. `goals` is called by the benchmark of everything that looks inside.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.rig import goal, say
from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.load import Loader
from feature_platform.changelog.sums import Commands, tiles_of
from feature_platform.changelog.tables import table_name
from feature_platform.registry.history import FOREVER
from feature_platform.rows.partials import Item
from feature_platform.testing.changes import block_headers
from feature_platform.testing.reference_rows import encode_items
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout, LayoutColumn

RATE_AIM, QUESTION_MS_AIM = 500_000, 100.0
NAME, TOPIC = "posts", "changelog.posts"
ENTITIES = 200_000
BLOCK_ROWS = 2_500
MINUTE_MS = 60_000
START_MS = 1_796_246_400_000
SPAN_MS = 86_400_000
ASKED = 50
SEED = 7
DIGITS = 7
SKEW = 3
"""Of the draws: the most frequent entity has a 58th of all commands."""
GRID = Grid.of(("1m", "5m", "30m", "3h", "1d"))
KINDS = {"_events": "count", "watch_ms": "sum", "shortest": "min", "longest": "max"}
ITEMS = encode_items("text", (Item(START_MS, 0, 123_456, "de"),))


def _layout() -> Layout:
    kinds = {**KINDS, "language": "last"}
    columns = tuple(
        LayoutColumn(
            id=number,
            name=name,
            kind=kind,  # type: ignore[arg-type]
            carrier="text" if kind == "last" else "int",
            n=1 if kind == "last" else 0,
            levels=tuple(range(len(GRID.levels_ms))),
            lifetime=True,
        )
        for number, (name, kind) in enumerate(kinds.items())
    )
    return Layout(grid=GRID, retention_ms=(SPAN_MS,) * len(GRID.levels_ms), columns=columns)


LAYOUT = _layout()
_VALUES = [part for name in KINDS for part in ((f"{name}_null", "u1"), (name, "<i8"))]
ROW = np.dtype(
    [
        ("attempt", "<i4"),
        ("checkpoint_id", "<i8"),
        ("flush", "<i8"),
        ("subtask", "<i4"),
        ("seq", "<i8"),
        ("at_ms", "<i8"),
        ("kind", "i1"),
        ("length", "u1"),
        ("entity", f"S{DIGITS}"),
        ("tile_ms", "<i8"),
        *_VALUES,
        ("items_null", "u1"),
        ("items_length", "u1"),
        ("items", f"V{len(ITEMS)}"),
    ]
)
"""A row of RowBinary whose texts are all equally long."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A record, as Kafka's client shows it."""

    at: int
    content: bytes

    def partition(self) -> int:
        """Return its partition."""
        return 0

    def offset(self) -> int:
        """Return its offset."""
        return self.at

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return its headers."""
        return block_headers(LAYOUT, NAME, 1)

    def value(self) -> bytes:
        """Return its rows."""
        return self.content


@dataclass(frozen=True, slots=True)
class _Topic:
    """Implements the loader's `Topic`."""

    blocks: Sequence[bytes]

    def topic_id(self, topic: str) -> str:
        """Return its id."""
        return f"{topic} of a benchmark"

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return where its partition begins and ends."""
        return {f"{topic}/0": (0, len(self.blocks))}

    def messages_between(
        self, topic: str, spans: Mapping[int, tuple[int, int]]
    ) -> Iterator[_Block]:
        """Yield the blocks."""
        del topic
        for at in range(*spans[0]):
            yield _Block(at, self.blocks[at])


def _drawn(commands: int) -> Any:  # noqa: ANN401 (a structured array)
    rng = np.random.default_rng(SEED)
    rows = np.zeros(commands, dtype=ROW)
    rows["attempt"], rows["checkpoint_id"] = 1, 1 + np.arange(commands) // 100_000
    rows["flush"], rows["seq"] = 1 + np.arange(commands) // 5_000, np.arange(commands)
    rows["at_ms"] = START_MS + np.arange(commands) * SPAN_MS // commands
    rows["kind"], rows["length"] = rng.choice([0, 1, 2, 2], commands), DIGITS
    entities = (ENTITIES * rng.random(commands) ** SKEW).astype(np.int64)
    rows["entity"] = np.char.mod(f"%0{DIGITS}d", entities)
    rows["tile_ms"] = rows["at_ms"] // MINUTE_MS * MINUTE_MS
    rows["_events"] = 1
    for name in ("watch_ms", "shortest", "longest"):
        rows[name] = rng.integers(0, 100_000, commands)
    rows["items_length"] = len(ITEMS)
    rows["items"] = np.frombuffer(ITEMS, dtype=rows["items"].dtype)[0]
    return rows


def goals(commands: int = 10_000_000) -> list[dict[str, Any]]:
    """Load commands, ask about entities, and return the goals.

    Raises:
        SystemExit: Sums are not those of numpy.
    """
    rows = _drawn(commands)
    blocks = [
        rows[start : start + BLOCK_ROWS].tobytes() for start in range(0, commands, BLOCK_ROWS)
    ]
    say(f"loading {commands:,} commands, {sum(map(len, blocks)):,} bytes in {len(blocks):,} blocks")
    with (
        tempfile.TemporaryDirectory(prefix="fp-bench-") as folder,
        EmbeddedOlap.open(str(Path(folder) / "changelog"), "feature_platform") as olap,
    ):
        started = time.perf_counter()
        loaded = Loader(olap, NAME, TOPIC, 3_650).load(_Topic(blocks), START_MS, lambda _: None)
        seconds = time.perf_counter() - started
        if (loaded.blocks, loaded.refused) != (len(blocks), 0):
            raise SystemExit(str(loaded))
        log = Commands(olap, table_name(NAME, 1), LAYOUT, {0: 0, 1: FOREVER})
        rng = np.random.default_rng(SEED + 1)
        asked = [str(each.decode()) for each in rng.choice(rows["entity"], ASKED)]
        taken = [_ask(log, rows, entity) for entity in asked]
        busiest = _ask(log, rows, "0" * DIGITS)
        lost_s = time.perf_counter()
        lost = log.lost()
        lost_s = time.perf_counter() - lost_s
    median, slowest = sorted(taken)[ASKED // 2], max(taken)
    say(
        f"loaded in {seconds:.1f} s; a question about one entity {median:.0f} ms, the slowest of "
        f"{ASKED} {slowest:.0f} ms, the busiest entity {busiest:.0f} ms; gaps looked for in "
        f"{lost_s:.1f} s: {lost.rows}"
    )
    return [
        goal("commands per second into chdb", commands / seconds, RATE_AIM),
        goal("ms of a question about one entity", median, QUESTION_MS_AIM, at_most=True, digits=1),
    ]


def _ask(log: Commands, rows: Any, entity: str) -> float:  # noqa: ANN401 (a structured array)
    """Return how many milliseconds the sums of an entity take, all its tiles with them."""
    started = time.perf_counter()
    found = log.sums(entity)
    tiles_of(LAYOUT, found)
    taken_ms = (time.perf_counter() - started) * 1_000
    own = rows[rows["entity"] == entity.encode()]
    wanted = int(np.where(own["kind"] == 1, -own["watch_ms"], own["watch_ms"]).sum())
    if sum(int(str(each[1])) for each in found.values()) != wanted:
        msg = f"the commands of {entity} do not add up to {wanted}: no figure counts"
        raise SystemExit(msg)
    return taken_ms


def main() -> None:
    """Measure it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000_000)
    print(json.dumps({"goals": goals(parser.parse_args().commands)}))


if __name__ == "__main__":
    main()
