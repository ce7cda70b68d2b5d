"""The load of the serving benchmark: counts of entities by minute, their rows, and the requests.

Everything comes from a seed, so that what is served can be recounted with numpy.
"""

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.store.base import HEAD_LEVEL, RowWrite, TileKey, TileWriter, write_timestamp
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference import Oracle
from feature_platform.testing.reference_events import RawEvent
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.cover import cover
from feature_platform.tiles.grid import MINUTE_MS

WINDOWS = ("30m", "2h", "1d", "5d")
CELLS = 42
"""Minutes of an entity that have events: a read of it finds about twenty tiles."""
OLDEST_MINUTES = 5 * 24 * 60 + 600
SIZES = ((1, 63), (64, 8_191), (8_192, 1_048_575))
SIZE_SHARES = (0.70, 0.25, 0.05)
"""Of a minute's counts, how many take one, two and three bytes."""
ZIPF_EXPONENT = 1.1
ASKED_ONCE_SHARE = 0.4
"""Of the entities, those that are never kept and are asked for once, where some requests miss."""
WRITERS = 8
SAMPLE = 500
ATTEMPT, FLUSH = 1, 1

SOURCE = """source: actions
topic: actions
format: json
event_time: ts
columns: {post_id: BIGINT, action: STRING, ts: BIGINT}
"""

Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What is asked, in order."""

    kept: Ints
    """Entities that a cache holds when a part begins."""
    asked: Ints
    """A request each row."""
    starts: tuple[int, ...]
    """Requests before which a part begins: no entity is asked for twice that is to be a miss."""

    repeats: bool
    """Whether they may be asked again as they are, because none is to be a miss."""

    def of_client(self, client: int, clients: int) -> "Requests":
        """Return the same requests for entities that no other client asks for."""
        kept, asked = (each * clients + client for each in (self.kept, self.asked))
        return replace(self, kept=kept, asked=asked)

    def save(self, path: Path) -> None:
        """Write them for a ranker."""
        np.savez(path, kept=self.kept, asked=self.asked, starts=self.starts, repeats=self.repeats)


def define(folder: Path, name: str, counters: int) -> FeatureSet:
    """Write a feature set of counters, each over four windows, and load it."""
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    (folder / "sources" / "actions.yaml").write_text(SOURCE)
    names = [f"c{number:02}" for number in range(counters)]
    columns = [f"COUNT(*) FILTER (WHERE action = '{each}') AS {each}" for each in names]
    windows = ", ".join(WINDOWS)
    lines = [
        f"featureset: {name}",
        "description: Counters of posts.",
        "owner: bench",
        "entity: post_id",
        "source: actions",
        "sql: |",
        "  SELECT post_id,",
        *(f"         {column}," for column in columns[:-1]),
        f"         {columns[-1]}",
        "  FROM actions",
        "  GROUP BY post_id",
        "features:",
        *(f"  {each}: {{windows: [{windows}]}}" for each in names),
        "settings: {keep: 6h}",
    ]
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return load_project(folder).checked().featuresets[name]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Entities 0, 1, 2, ... of a feature set, the most popular first."""

    featureset: FeatureSet
    snapshot: Snapshot
    minutes_ms: Ints
    """By entity and cell: when its events were."""
    counts: NDArray[np.int32]
    """By entity, cell and counter: how many there were."""

    @classmethod
    def draw(
        cls, featureset: FeatureSet, entities: int, now_ms: int, seed: int, *, small: bool = False
    ) -> "Load":
        """Draw entities.

        Args:
            featureset: From `define`.
            entities: How many.
            now_ms: The youngest event is of this minute or older.
            seed: Of everything.
            small: Draw counts of at most one event, which can be written out.
        """
        chance = np.random.default_rng(seed)
        ages = np.exp(chance.uniform(0, np.log(OLDEST_MINUTES), (entities, CELLS))).astype(np.int64)
        shape = (entities, CELLS, len(featureset.features))
        low, high = np.array(SIZES)[chance.choice(len(SIZES), shape, p=SIZE_SHARES)].T
        counts = chance.integers(low.T, high.T, endpoint=True, dtype=np.int32)
        return cls(
            featureset=featureset,
            snapshot=snapshot_of(featureset),
            minutes_ms=now_ms - now_ms % MINUTE_MS - (ages - 1) * MINUTE_MS,
            counts=counts % 2 if small else counts,
        )

    @property
    def names(self) -> list[str]:
        """The served features, in the order of `recount`."""
        return [
            f"{self.featureset.name}.{name}"
            for feature in self.snapshot.features
            for name in feature.served
        ]

    @property
    def entities(self) -> int:
        """How many there are."""
        return len(self.counts)

    @cached_property
    def _columns(self) -> tuple[list[int], list[int]]:
        """The ids of the counters, and of the column that counts all events."""
        first, *rest = self.snapshot.layout.columns
        return [column.id for column in rest], [first.id]

    def windows(self, now_ms: int) -> list[tuple[TileKey, ...]]:
        """Return for each window the tiles that answer it."""
        grid, feature = self.snapshot.layout.grid, self.featureset.features[0]
        return [
            cover(grid, grid.levels_for_window(window_ms), window_ms, now_ms, "now").tiles
            for window_ms in feature.windows_ms
        ]

    def keys(self, now_ms: int, minutes: int = 1) -> list[TileKey]:
        """Return the tiles of all windows in this minute and those that follow, each once."""
        instants = range(now_ms, now_ms + minutes * MINUTE_MS, MINUTE_MS)
        return sorted({key for each in instants for tiles in self.windows(each) for key in tiles})

    def recount(self, entities: Ints, now_ms: int) -> NDArray[np.float64]:
        """Return what must be served, a row per entity: counts inside each window's interval."""
        grid, feature = self.snapshot.layout.grid, self.featureset.features[0]
        minutes, counts = self.minutes_ms[entities], self.counts[entities].astype(np.int64)
        sums = []
        for window_ms in feature.windows_ms:
            span = cover(grid, grid.levels_for_window(window_ms), window_ms, now_ms, "now")
            inside = (minutes >= span.lo_ms) & (minutes < span.hi_ms)
            sums.append((counts * inside[:, :, None]).sum(axis=1))
        counted: NDArray[np.float64] = np.stack(sums, axis=2).reshape(len(entities), -1)
        return counted.astype(np.float64)

    def _cells(self, entity: int) -> tuple[Ints, NDArray[np.int32]]:
        """Return the minutes in which an entity has events, and its counts there."""
        some = self.counts[entity].any(axis=1)
        return self.minutes_ms[entity][some], self.counts[entity][some]

    def tiles(self, entity: int) -> dict[TileKey, list[int]]:
        """Return the counts of each tile of an entity, the lifetime tile's left out."""
        grid, (minutes, counts) = self.snapshot.layout.grid, self._cells(entity)
        found: dict[TileKey, list[int]] = {}
        for level in self.snapshot.layout.used_levels:
            floors = minutes - minutes % grid.levels_ms[level]
            starts, group = np.unique(floors, return_inverse=True)
            sums = np.zeros((len(starts), self.counts.shape[2]), dtype=np.int64)
            np.add.at(sums, group, counts)
            found |= {
                (level, start): row
                for start, row in zip(starts.tolist(), sums.tolist(), strict=True)
            }
        return found

    def rows(self, entity: int, keys: Collection[TileKey] | None = None) -> dict[TileKey, bytes]:
        """Return the rows of an entity as a job writes them: the head, and closed tiles.

        Args:
            entity: Whose.
            keys: The closed tiles that are wanted; without it, all are.
        """
        layout = self.snapshot.layout
        newest_ms = int(self._cells(entity)[0].max())
        counters, (events,) = self._columns
        head: dict[TileKey, bytes] = {}
        rows: dict[TileKey, bytes] = {}
        for (level, start_ms), counts in self.tiles(entity).items():
            in_head = start_ms >= layout.grid.head_oldest_ms(newest_ms, level)
            if not in_head and keys is not None and (level, start_ms) not in keys:
                continue
            partials = {events: sum(counts), **dict(zip(counters, counts, strict=True))}
            (head if in_head else rows)[level, start_ms] = encode_row(layout, partials)
        total = {events: int(self.counts[entity].sum())}
        head[layout.grid.lifetime_level, 0] = encode_row(layout, total)
        return {(HEAD_LEVEL, 0): encode_head(head), **rows}

    def with_events(self, minute_ms: int, counts: NDArray[np.int32]) -> "Load":
        """Return the same after events of one minute, counted for each entity and counter."""
        minutes = np.full((self.entities, 1), minute_ms)
        return replace(
            self,
            minutes_ms=np.concatenate([self.minutes_ms, minutes], axis=1),
            counts=np.concatenate([self.counts, counts[:, None, :]], axis=1),
        )

    def tiles_read(self, entity: int, keys: Collection[TileKey]) -> int:
        """Return how many tiles a read finds: all in the head, and the closed ones among some."""
        grid, newest_ms = self.snapshot.layout.grid, int(self._cells(entity)[0].max())
        in_head = sum(
            start_ms >= grid.head_oldest_ms(newest_ms, level)
            for level, start_ms in self.tiles(entity)
        )
        return in_head + len(self.rows(entity, keys))  # lifetime's, and the head is no tile

    def write(self, writer: TileWriter, keys: frozenset[TileKey]) -> None:
        """Write heads, and the closed tiles among some keys. Blocks."""

        def write(entity: int) -> None:
            store(writer, self.snapshot.table, entity, self.rows(entity, keys), FLUSH)

        self.for_each(write)

    def for_each(self, work: Callable[[int], T]) -> list[T]:
        """Do something for each entity, some at a time."""
        with ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(work, range(self.entities)))


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a read of an entity finds, the mean of a sample."""

    rows: float
    tiles: float
    bytes: float

    @classmethod
    def of(cls, load: Load, now_ms: int) -> "Read":
        """Look at the first entities of a load."""
        keys = frozenset(load.keys(now_ms))
        sample = range(min(SAMPLE, load.entities))
        found = [load.rows(each, keys) for each in sample]
        return cls(
            rows=float(np.mean([len(rows) for rows in found])),
            tiles=float(np.mean([load.tiles_read(each, keys) for each in sample])),
            bytes=float(np.mean([sum(map(len, rows.values())) for rows in found])),
        )


def store(
    writer: TileWriter, table: str, entity: int, rows: Mapping[TileKey, bytes], flush: int
) -> None:
    """Write rows of an entity as one flush of a job does."""
    writes = [RowWrite(level=key[0], start_ms=key[1], payload=row) for key, row in rows.items()]
    writer.write(table, str(entity), writes, written=write_timestamp(ATTEMPT, flush))


def check_rows(featureset: FeatureSet, now_ms: int) -> None:
    """Make sure that rows and recount are what the oracle makes of such events.

    Raises:
        SystemExit: One is not.
    """
    load = Load.draw(featureset, 3, now_ms, seed=5, small=True)
    events: list[RawEvent] = []
    for entity, cell, counter in np.argwhere(load.counts).tolist():
        ts = int(load.minutes_ms[entity, cell])
        said = {"post_id": entity, "action": f"c{counter:02}", "ts": ts}
        value = json.dumps(said).encode()
        events.append(RawEvent(value=value, partition=0, offset=len(events), timestamp_ms=now_ms))
    oracle = Oracle(featureset, load.snapshot.layout, events)
    for entity in range(load.entities):
        expected = oracle.entity(str(entity))
        served = list(oracle.served(str(entity), now_ms).values())
        is_served = served == load.recount(np.array([entity]), now_ms)[0].tolist()
        if expected is None or expected.rows != load.rows(entity) or not is_served:
            msg = f"{featureset.name}: entity {entity} is not what the oracle expects"
            raise SystemExit(msg)


def requests(entities: int, size: int, hits: float, rounds: int, seed: int) -> Requests:
    """Draw requests of different entities by Zipf's law, of which a share is in the cache.

    Args:
        entities: Of the load.
        size: Entities of a request.
        hits: The share; of small requests some miss, so that it holds over all of them.
        rounds: How many requests.
        seed: Of the draw.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(entities)
    once = {0.0: entities, 1.0: 0}.get(hits, round(entities * ASKED_ONCE_SHARE))
    pool, kept = order[:once], np.sort(order[once:])
    weights = -ZIPF_EXPONENT * np.log1p(kept)
    misses = np.diff(np.floor(np.arange(rounds + 1) * ((1 - hits) * size) + 1e-9)).astype(int)
    asked, starts, place = [], [0], 0
    for number, missed in enumerate(misses.tolist()):
        if place + missed > len(pool):
            starts.append(number)
            place = 0
        drawn = weights + chance.gumbel(size=len(kept))  # so the largest are drawn by weight
        others = len(kept) - (size - missed)
        hot = kept[np.argpartition(drawn, others)[others:]] if others < len(kept) else kept[:0]
        asked.append(chance.permutation(np.concatenate([hot, pool[place : place + missed]])))
        place += missed
    return Requests(
        kept=kept, asked=np.array(asked), starts=tuple(starts), repeats=not misses.any()
    )
