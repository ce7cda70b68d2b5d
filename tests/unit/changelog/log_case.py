"""A topic of blocks in memory, and an embedded ClickHouse of a test's own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.load import Loaded, Loader
from feature_platform.testing.changes import Change, block_headers, encode_block
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout, LayoutColumn

MINUTE_MS = 60_000
START_MS = 1_796_246_400_000
TOPIC = "changelog.posts"


def column(number: int, name: str, kind: str, carrier: str = "int", n: int = 0) -> LayoutColumn:
    """Return a column of both levels and lifetime."""
    return LayoutColumn(
        id=number,
        name=name,
        kind=kind,  # type: ignore[arg-type]
        carrier=carrier,  # type: ignore[arg-type]
        n=n,
        levels=(0, 1),
        lifetime=True,
    )


LAYOUT = Layout(
    grid=Grid(levels_ms=(MINUTE_MS, 5 * MINUTE_MS), depth=(3, 1)),
    retention_ms=(3_600_000, 7_200_000),
    columns=(
        column(0, "_events", "count"),
        column(1, "watch_ms", "sum"),
        column(2, "shortest", "min"),
        column(3, "longest", "max"),
        column(4, "languages", "last_n", "text", 2),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A record, as Kafka's client shows it."""

    part: int
    at: int
    content: bytes | None
    names: Sequence[tuple[str, bytes]]

    def partition(self) -> int:
        """Return its partition."""
        return self.part

    def offset(self) -> int:
        """Return its offset."""
        return self.at

    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return its headers."""
        return self.names

    def value(self) -> bytes | None:
        """Return its value."""
        return self.content


@dataclass(slots=True)
class MemoryTopic:
    """Implements the loader's `Topic`."""

    records: list[Kept] = field(default_factory=list)
    firsts: dict[int, int] = field(default_factory=dict)
    id: str = "first"
    topic: str = TOPIC

    def put(self, changes: Iterable[Change], part: int = 0, layout: Layout = LAYOUT) -> None:
        """Append a block."""
        self.put_raw(encode_block(layout, changes), block_headers(layout, "posts", 1), part)

    def put_raw(
        self, content: bytes | None, names: Sequence[tuple[str, bytes]], part: int = 0
    ) -> None:
        """Append a record of any kind."""
        at = sum(each.part == part for each in self.records)
        self.records.append(Kept(part=part, at=at, content=content, names=names))

    def topic_id(self, topic: str) -> str:
        """Return its id."""
        assert topic == self.topic
        return self.id

    def bounds(self, topic: str) -> dict[str, tuple[int, int]]:
        """Return where each partition begins and ends."""
        parts = {each.part for each in self.records}
        return {
            f"{topic}/{part}": (
                self.firsts.get(part, 0),
                sum(each.part == part for each in self.records),
            )
            for part in parts
        }

    def messages_between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Kept]:
        """Yield records of offsets."""
        assert topic == self.topic
        for each in self.records:
            start, end = spans[each.part]
            if start <= each.at < end:
                yield each


@contextmanager
def clickhouse(folder: Path) -> Iterator[EmbeddedOlap]:
    """Open the embedded one in a folder."""
    with EmbeddedOlap.open(str(folder / "changelog"), "feature_platform") as opened:
        yield opened


def load(olap: EmbeddedOlap, topic: MemoryTopic) -> Loaded:
    """Load all that a topic holds."""
    return Loader(olap, "posts", TOPIC, 3_650).load(topic, START_MS, lambda _: None)
