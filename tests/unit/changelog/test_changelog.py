"""Loading blocks into a real ClickHouse, and what commands add up to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_platform.changelog.embedded import EmbeddedOlap
from feature_platform.changelog.sums import Commands, Gap, Lost, Since, tiles_of
from feature_platform.errors import OlapError
from feature_platform.registry.history import FOREVER, History
from feature_platform.rows.codec import decode_row
from feature_platform.rows.partials import Item, Partial
from feature_platform.testing.changes import Change, block_headers, encode_block
from feature_platform.testing.reference_rows import encode_row
from feature_platform.tiles.layout import Layout
from tests.unit.changelog.log_case import (
    LAYOUT,
    MINUTE_MS,
    START_MS,
    MemoryTopic,
    clickhouse,
    column,
    load,
)

TABLE = "changes_posts_g1"
HOUR_MS = 3_600_000
LINE: History = {0: 0, 1: FOREVER}
KIND_77 = encode_block(LAYOUT, [Change(seq=0, kind=77)])
LONG_ENTITY = KIND_77[:41] + b"\xff\xff\xff\xff\xff\xff\xff\x7f"
AWKWARD = "Zürich'\\\n\t\0 `;--"


@pytest.fixture(name="olap")
def _olap(tmp_path: Path) -> Iterator[EmbeddedOlap]:
    with clickhouse(tmp_path) as opened:
        yield opened


def item(minute: int, offset: int, text: str) -> Item:
    """Return an item of a minute."""
    return Item(START_MS + minute * MINUTE_MS, 0, offset, text)


def values(events: int, watch: int | None, *items: Item) -> dict[int, Partial]:
    """Return partials of all columns."""
    return {0: events, 1: watch, 2: watch, 3: watch, 4: items or None}


def on(seq: int = 0, **other: int) -> Change:
    """Return the marker from which on all entities are logged."""
    return Change(seq=seq, kind=5, tile_ms=1_000_000_000, **other)  # type: ignore[arg-type]


def story() -> list[Change]:
    """An entity whose minute grows from 5 to 5 and -7, and another minute, taken back."""
    at = {"entity": AWKWARD, "tile_ms": START_MS}
    first, second = item(0, 1, "de"), item(0, 2, "fr")
    return [
        on(),
        Change(seq=1, kind=0, values=values(1, 5, first), **at),  # type: ignore[arg-type]
        Change(seq=2, kind=1, values=values(1, 5, first), **at),  # type: ignore[arg-type]
        Change(seq=3, kind=2, values=values(2, -7, second, first), **at),  # type: ignore[arg-type]
        Change(seq=4, kind=0, entity="other", tile_ms=START_MS, values=values(9, 9)),
        Change(seq=5, kind=4),
    ]


def commands(olap: EmbeddedOlap, line: History = LINE, kept_from_ms: int = 0) -> Commands:
    """Return the commands of a history."""
    return Commands(olap, TABLE, LAYOUT, line, kept_from_ms)


def sums(olap: EmbeddedOlap, entity: str = AWKWARD) -> dict[int, dict[int, Partial]]:
    """Return what the commands of an entity add up to."""
    return {tile: dict(each) for tile, each in commands(olap).sums(entity).items()}


def test_commands_add_up_as_the_kernel_adds_them(olap: EmbeddedOlap) -> None:
    """Counters by sign, extremes and items by plus commands alone; the bytes are canonical."""
    topic = MemoryTopic()
    topic.put(story())
    assert load(olap, topic).blocks == 1
    items = (item(0, 2, "fr"), item(0, 1, "de"))
    wanted: dict[int, Partial] = {0: 2, 1: -7, 2: -7, 3: 5, 4: items}
    found = sums(olap)
    assert found == {START_MS: wanted}
    keys = ((0, START_MS), (1, START_MS - START_MS % (5 * MINUTE_MS)), (2, 0))
    assert tiles_of(LAYOUT, found) == dict.fromkeys(keys, encode_row(LAYOUT, wanted))
    assert sums(olap, "nobody") == {}


def test_sums_wrap_as_counters_do(olap: EmbeddedOlap) -> None:
    """2^63 - 1 and 1 is -2^63, in ClickHouse too."""
    topic = MemoryTopic()
    topic.put(
        Change(seq=seq, kind=0, entity=AWKWARD, tile_ms=START_MS, values={0: 1, 1: value})
        for seq, value in enumerate((2**63 - 1, 1))
    )
    load(olap, topic)
    assert sums(olap)[START_MS][1] == -(2**63)


def test_what_is_loaded_twice_counts_once(olap: EmbeddedOlap) -> None:
    """A loader that dies after the rows and before the position."""
    topic = MemoryTopic()
    topic.put(story())
    load(olap, topic)
    before = sums(olap)
    olap.change("TRUNCATE TABLE loaded")
    assert load(olap, topic).blocks == 1
    assert sums(olap) == before
    assert load(olap, topic).blocks == 0


def test_a_new_topic_of_the_same_name_is_read_from_its_beginning(olap: EmbeddedOlap) -> None:
    """Offsets are those of a topic with its id."""
    topic = MemoryTopic()
    topic.put(story())
    load(olap, topic)
    again = MemoryTopic(id="second")
    again.put([Change(seq=6, kind=0, entity=AWKWARD, tile_ms=START_MS, values=values(1, 1))])
    assert load(olap, again).blocks == 1
    assert sums(olap)[START_MS][0] == 3


def test_abandoned_epochs_do_not_count(olap: EmbeddedOlap) -> None:
    """Attempt 2 starts from checkpoint 3 of attempt 1, and logs what came after it again."""
    topic = MemoryTopic()

    def command(seq: int, attempt: int, checkpoint_id: int, flush: int = 1) -> Change:
        return Change(
            seq=seq,
            kind=0,
            entity="a",
            tile_ms=START_MS,
            values={0: 1},
            attempt=attempt,
            checkpoint_id=checkpoint_id,
            flush=flush,
        )

    topic.put([command(0, 1, 3), command(1, 1, 4), command(2, 1, 4)])
    topic.put([command(0, 2, 4), command(1, 2, 4, flush=7), command(2, 2, 5, flush=8)], part=1)
    load(olap, topic)
    assert commands(olap, {0: 0, 1: 3, 2: FOREVER}).sums("a")[START_MS][0] == 4
    assert commands(olap, {0: 0, 1: 3, 2: 4}).sums("a")[START_MS][0] == 3
    assert commands(olap, {0: 0, 1: 3}).sums("a")[START_MS][0] == 1
    assert commands(olap, {0: 0}).sums("a") == {}


def test_lost_numbers_are_named(olap: EmbeddedOlap) -> None:
    """A gap says which rows of a subtask are missing; nothing is, where older ones were deleted."""
    topic = MemoryTopic()
    topic.put([story()[0], story()[3], Change(seq=5, kind=4, at_ms=START_MS + 2 * HOUR_MS)])
    load(olap, topic)
    found = commands(olap).lost()
    gaps = [Gap(attempt=1, subtask=0, first=1, last=2), Gap(attempt=1, subtask=0, first=4, last=4)]
    assert found == Lost(rows=3, gaps=tuple(gaps))
    assert [str(each) for each in gaps] == [
        "attempt 1, subtask 0: 1 to 2",
        "attempt 1, subtask 0: 4",
    ]
    assert commands(olap, kept_from_ms=START_MS).lost() == Lost()
    assert commands(olap, {0: 0}).lost() == Lost()


@pytest.mark.parametrize(
    ("content", "names", "why"),
    [
        (b"", block_headers(LAYOUT, "posts", 1), "without rows"),
        (None, block_headers(LAYOUT, "posts", 1), "without rows"),
        (b"x", [], "format None"),
        (b"x", [("format", b"2")], "format '2'"),
        (b"x", block_headers(LAYOUT, "other", 1), "feature set 'other'"),
        (b"x", [*block_headers(LAYOUT, "posts", 1), ("columns", b"{")], "cannot be read"),
        (b"torn", block_headers(LAYOUT, "posts", 1), "Cannot read all data"),
        (KIND_77, block_headers(LAYOUT, "posts", 1), "77"),
        (LONG_ENTITY, block_headers(LAYOUT, "posts", 1), "oo large string"),
    ],
)
def test_a_bad_block_stops_no_other(
    olap: EmbeddedOlap, content: bytes | None, names: list[tuple[str, bytes]], why: str
) -> None:
    """It is counted and named; blocks around it are loaded."""
    topic = MemoryTopic()
    topic.put(story()[:2])
    topic.put_raw(content, names)
    topic.put(story()[2:])
    found = load(olap, topic)
    assert (found.blocks, found.refused) == (2, 1)
    assert found.named[0].startswith("changelog.posts/0, offset 1: ")
    assert why in found.named[0]
    assert sums(olap)[START_MS][0] == 2


def test_what_kafka_no_longer_holds_is_counted(olap: EmbeddedOlap) -> None:
    """What was deleted before it was loaded is said, and the rest is loaded."""
    topic = MemoryTopic()
    topic.put(story()[:2])
    load(olap, topic)
    for _ in range(3):
        topic.put(story()[2:])
    topic.firsts[0] = 3
    found = load(olap, topic)
    assert (found.gone, found.blocks) == (2, 1)


def test_a_column_of_another_meaning_stands_beside_the_first(olap: EmbeddedOlap) -> None:
    """Its id is another; columns that are new are added."""
    topic = MemoryTopic()
    topic.put(story())
    columns = (LAYOUT.columns[0], column(7, "watch_ms", "max"), column(8, "likes", "count"))
    edited = Layout(grid=LAYOUT.grid, retention_ms=LAYOUT.retention_ms, columns=columns)
    topic.put(
        [Change(seq=6, kind=0, entity=AWKWARD, tile_ms=START_MS, values={0: 1, 7: 30, 8: 2})],
        layout=edited,
    )
    load(olap, topic)
    log = Commands(olap, TABLE, edited, LINE)
    assert log.sums(AWKWARD) == {START_MS: {0: 3, 7: 30, 8: 2}}
    _, rows = olap.ask(f"SELECT watch_ms, watch_ms_7 FROM {TABLE} WHERE seq IN (3, 6) ORDER BY seq")
    assert rows == [[-7, None], [None, 30]]


def test_since_when_an_entity_is_logged(olap: EmbeddedOlap) -> None:
    """From the first epoch on, later, not any more, or only in the attempt before."""
    topic = MemoryTopic()

    def mark(seq: int, kind: int, entity: str = "", **other: int) -> Change:
        return Change(seq=seq, kind=kind, entity=entity, at_ms=START_MS + seq, **other)  # type: ignore[arg-type]

    topic.put(
        [
            mark(0, 5, "first"),
            mark(1, 5, "later", checkpoint_id=3),
            mark(2, 5, "gone"),
            mark(3, 6, "gone", checkpoint_id=3),
        ]
    )
    load(olap, topic)
    log = commands(olap)
    assert log.since("first") == Since(at_ms=START_MS, whole=True)
    assert log.since("later") == Since(at_ms=START_MS + 1, whole=False)
    assert log.since("gone") is None
    assert log.since("nobody") is None
    two = {0: 0, 1: 3, 2: FOREVER}
    assert commands(olap, two).since("first") is None
    topic.put([mark(0, 5, "first", attempt=2, checkpoint_id=4)])
    load(olap, topic)
    assert commands(olap, two).since("first") == Since(at_ms=START_MS, whole=True)
    assert commands(olap, two).since("later") is None
    expired = commands(olap, two, kept_from_ms=START_MS + 9)
    assert expired.since("first") == Since(at_ms=START_MS + 9, whole=False)


def test_a_share_covers_the_entities_of_its_hash(olap: EmbeddedOlap) -> None:
    """`entity 1` is at 0.348, Zürich at 0.824 of all."""
    topic = MemoryTopic()
    topic.put([Change(seq=0, kind=5, tile_ms=500_000_000)])
    load(olap, topic)
    assert commands(olap).since("entity 1") is not None
    assert commands(olap).since("Zürich") is None


def test_another_process_has_the_folder(tmp_path: Path) -> None:
    """It is named, after a while; the data stay as they were."""
    with clickhouse(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr("feature_platform.changelog.embedded.WAIT_S", 0.1)
        with pytest.raises(OlapError, match=f"used by process {os.getpid()}"), clickhouse(tmp_path):
            pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is named, and so is the setting."""
    (tmp_path / "changelog").write_text("a file")
    with (
        pytest.raises(OlapError, match=r"changelog cannot be written: .*changelog\.folder"),
        clickhouse(tmp_path),
    ):
        pass


def test_a_disk_that_is_full_refuses_no_block(
    olap: EmbeddedOlap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being loaded goes by a file."""
    topic = MemoryTopic()
    topic.put(story())
    with monkeypatch.context() as patch:
        patch.setattr(olap, "_folder", Path("/dev/full"))
        with pytest.raises(OlapError, match="cannot be written: Not a directory"):
            load(olap, topic)
    found = load(olap, topic)
    assert (found.blocks, found.refused) == (1, 0)


def test_wrong_sql_is_one_short_error(olap: EmbeddedOlap) -> None:
    """ClickHouse's own words, without its stack trace."""
    with pytest.raises(OlapError, match="nowhere") as raised:
        olap.ask("SELECT 1 FROM nowhere")
    assert "Stack trace" not in str(raised.value)


def test_a_tile_of_nothing_left_is_still_a_tile(olap: EmbeddedOlap) -> None:
    """Every command makes its tile exist; what is taken back leaves it empty."""
    topic = MemoryTopic()
    topic.put(
        Change(seq=seq, kind=kind, entity="a", tile_ms=START_MS, values={0: 1, 1: 4})
        for seq, kind in enumerate((0, 3))
    )
    load(olap, topic)
    made = tiles_of(LAYOUT, sums(olap, "a"))[0, START_MS]
    assert decode_row(made).counters == {}
