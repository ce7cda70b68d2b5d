"""What every tile store promises: the largest timestamp wins, rows expire and come in order."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from feature_platform.clock import SystemClock
from feature_platform.errors import (
    CallerError,
    LimitExceededError,
    StoreDownError,
    StoreUnavailableError,
    WorldError,
)
from feature_platform.plan.snapshot import table_name
from feature_platform.settings import Role
from feature_platform.store.base import (
    HEAD_LEVEL,
    KEYS_PER_READ_MAX,
    UNDO_LEVEL,
    EntityReader,
    Outcome,
    RowWrite,
    StoredRow,
    TileReader,
    TileTables,
    TileWriter,
    UndoReader,
    write_timestamp,
    written_by,
)
from feature_platform.store.connect import Connection
from feature_platform.store.cql import CqlTiles
from feature_platform.store.memory import MemoryTiles

W1, W2 = write_timestamp(1, 1), write_timestamp(2, 1)


class Tiles(TileReader, EntityReader, UndoReader, TileWriter, TileTables, Protocol):
    """All ports in one."""


@pytest.fixture(params=["memory", "cassandra"])
def tiles(request: pytest.FixtureRequest) -> Tiles:
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryTiles(SystemClock())
    admin: Connection = request.getfixturevalue("admin")
    return CqlTiles(admin)


@pytest.fixture
def table(tiles: Tiles, name: str) -> Iterator[str]:
    """A new table, dropped afterwards."""
    created = table_name(name, 1)
    tiles.create_table(created)
    yield created
    tiles.drop_table(created)


def row(level: int, start_ms: int, payload: bytes, written: int = W1) -> StoredRow:
    """Make a stored row."""
    return StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)


def write(
    tiles: Tiles, table: str, payload: bytes, *, written: int = W1, level: int = 0, ttl_s: int = 0
) -> None:
    """Write one row of entity `e`, start 60000."""
    tiles.write(
        table,
        "e",
        [RowWrite(level=level, start_ms=60_000, payload=payload, ttl_s=ttl_s)],
        written=written,
    )


def test_some_entities_are_found_without_their_keys(tiles: Tiles, table: str) -> None:
    """Each once, and no more than asked for; or all of them."""
    for entity in ("a", "b", "c"):
        rows = [RowWrite(level=level, start_ms=0, payload=b"x") for level in (0, 1)]
        tiles.write(table, entity, rows, written=W1)
    assert sorted(tiles.some_entities(table, 9)) == ["a", "b", "c"]
    assert len(set(tiles.some_entities(table, 2))) == 2
    assert sorted(tiles.entities(table)) == ["a", "b", "c"]


def test_a_row_is_read_as_it_was_written(tiles: Tiles, table: str) -> None:
    """Payload and write timestamp come back."""
    write(tiles, table, b"\x00\xff")
    assert tiles.read_entity(table, "e") == [row(0, 60_000, b"\x00\xff")]


def test_rows_come_in_order_of_level_and_start(tiles: Tiles, table: str) -> None:
    """The head is first, then closed tiles, finest level first, oldest first."""
    keys = [(1, 0), (HEAD_LEVEL, 0), (0, 120_000), (0, 60_000), (0, -60_000)]
    rows = [RowWrite(level=level, start_ms=start, payload=b"x") for level, start in keys]
    tiles.write(table, "e", rows, written=W1)
    assert [(row.level, row.start_ms) for row in tiles.read_entity(table, "e")] == sorted(keys)


def test_only_the_rows_asked_for_are_read(tiles: Tiles, table: str) -> None:
    """Absent rows and absent entities are left out; answers keep the order of the requests."""
    write(tiles, table, b"a")
    write(tiles, table, b"b", level=1)
    requests = [("none", [(0, 60_000)]), ("e", [(1, 60_000), (2, 0)]), ("e", [])]
    assert tiles.read_tiles(table, requests) == [[], [row(1, 60_000, b"b")], []]


def test_as_many_keys_are_read_as_a_store_takes(tiles: Tiles, table: str) -> None:
    """One more is refused: which of them are read first is for the caller to say."""
    many = range(KEYS_PER_READ_MAX)
    rows = [RowWrite(level=0, start_ms=start, payload=b"%d" % start) for start in many]
    tiles.write(table, "e", rows, written=W1)
    keys = [(0, start) for start in reversed(many)]
    assert tiles.read_tiles(table, [("e", keys)]) == [tiles.read_entity(table, "e")]
    with pytest.raises(LimitExceededError, match="101 keys of one entity"):
        tiles.read_tiles(table, [("e", [*keys, (1, 0)])])


def test_a_read_on_an_event_loop_finds_the_same(tiles: Tiles, table: str) -> None:
    """Several at a time, and absent rows are left out."""
    for entity in ("a", "b", "c"):
        rows = [RowWrite(level=0, start_ms=start, payload=b"x") for start in (60_000, 120_000)]
        tiles.write(table, entity, rows, written=W1)
    requests = [(entity, [(0, 60_000), (1, 0)]) for entity in ("a", "none", "c")]

    async def read() -> list[list[Outcome]]:
        return await asyncio.gather(*(tiles.aread_tiles(table, requests) for _ in range(3)))

    assert asyncio.run(read()) == [tiles.read_tiles(table, requests)] * 3
    assert asyncio.run(tiles.aread_tiles(table, [])) == []


def test_a_read_without_time_is_refused(tiles: Tiles, table: str) -> None:
    """As a store that does not answer in time."""
    requests = [("e", [(0, 60_000)])]
    with pytest.raises(StoreDownError, match="a read was given 0 s"):
        tiles.read_tiles(table, requests, timeout_s=0)
    with pytest.raises(StoreDownError, match="a read was given -1 s"):
        asyncio.run(tiles.aread_tiles(table, requests, timeout_s=-1))


def test_the_larger_timestamp_wins_whatever_comes_last(tiles: Tiles, table: str) -> None:
    """A zombie's late write with an older attempt changes nothing."""
    write(tiles, table, b"new", written=W2)
    write(tiles, table, b"old", written=W1)
    assert tiles.read_entity(table, "e") == [row(0, 60_000, b"new", W2)]


def test_a_repeated_write_changes_nothing(tiles: Tiles, table: str) -> None:
    """A retry sends the same bytes under the same timestamp."""
    write(tiles, table, b"a")
    write(tiles, table, b"a")
    assert tiles.read_entity(table, "e") == [row(0, 60_000, b"a")]


def test_at_equal_timestamps_the_larger_value_wins(tiles: Tiles, table: str) -> None:
    """As Cassandra decides it; the platform never lets it come to that."""
    write(tiles, table, b"b")
    write(tiles, table, b"a")
    assert tiles.read_entity(table, "e") == [row(0, 60_000, b"b")]


def test_a_row_expires_after_its_time(tiles: Tiles, table: str) -> None:
    """Also with a timestamp made by hand; a row without an end stays."""
    write(tiles, table, b"short", ttl_s=1)
    write(tiles, table, b"for ever", level=1)
    time.sleep(2.1)
    assert tiles.read_entity(table, "e") == [row(1, 60_000, b"for ever")]


def test_a_deleted_row_is_gone_for_older_writers(tiles: Tiles, table: str) -> None:
    """Also where there was none; a newer write brings it back, and other rows stay."""
    write(tiles, table, b"a")
    write(tiles, table, b"b", level=1)
    gone = [RowWrite(level=level, start_ms=60_000, payload=None) for level in (0, 2)]
    tiles.write(table, "e", gone, written=W2)
    for level in (0, 2):
        write(tiles, table, b"late", level=level)
    assert tiles.read_entity(table, "e") == [row(1, 60_000, b"b")]
    write(tiles, table, b"new", written=W2 + 1)
    assert tiles.read_entity(table, "e")[0] == row(0, 60_000, b"new", W2 + 1)


def test_a_delete_wins_over_a_write_of_the_same_time_and_loses_to_a_later_one(
    tiles: Tiles, table: str
) -> None:
    """A sweep that is repeated beside the job that it made room for takes nothing from it."""
    write(tiles, table, b"equal", written=W2)
    write(tiles, table, b"later", written=W2 + 1, level=1)
    gone = [RowWrite(level=level, start_ms=60_000, payload=None) for level in (0, 1)]
    tiles.write(table, "e", gone, written=W2)
    assert tiles.read_entity(table, "e") == [row(1, 60_000, b"later", W2 + 1)]


def test_all_undo_rows_are_walked(tiles: Tiles, table: str) -> None:
    """Of every entity, all of one together; other rows, and expired ones, are left out."""
    for number in range(40):
        rows = [
            RowWrite(level=UNDO_LEVEL, start_ms=number << 43 | step, payload=b"%d" % step)
            for step in range(3)
        ]
        rows.append(RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"head"))
        tiles.write(table, f"e{number}", rows, written=W1)
    tiles.write(table, "no undo", [RowWrite(level=0, start_ms=0, payload=b"x")], written=W1)
    pages = list(tiles.undo_pages(table))
    found = [(item.entity, item.start, item.payload) for page in pages for item in page.rows]
    assert sorted(found) == sorted(
        (f"e{number}", number << 43 | step, b"%d" % step)
        for number in range(40)
        for step in range(3)
    )
    entities = [entity for page in pages for entity in {item.entity for item in page.rows}]
    assert len(entities) == 40
    assert [page.done for page in pages] == sorted(page.done for page in pages)
    assert pages[-1].done == 1.0


def test_creating_a_table_again_keeps_its_rows(tiles: Tiles, table: str) -> None:
    """A plan that is continued creates it a second time."""
    write(tiles, table, b"a")
    tiles.create_table(table)
    assert tiles.read_entity(table, "e") == [row(0, 60_000, b"a")]


def test_a_table_made_again_is_empty(tiles: Tiles, table: str) -> None:
    """A dropped table takes its rows along; dropping it twice is harmless."""
    write(tiles, table, b"a")
    tiles.drop_table(table)
    tiles.drop_table(table)
    tiles.create_table(table)
    assert tiles.read_entity(table, "e") == []


def test_reading_a_missing_table_says_what_to_do(tiles: Tiles) -> None:
    """The error belongs to the world: the table may be there after the next apply."""
    with pytest.raises(StoreUnavailableError, match="tiles_missing_g1"):
        tiles.read_entity("tiles_missing_g1", "e")


@pytest.mark.parametrize("table", ["Tiles", "t; DROP TABLE x", "", "t" * 64, 't"'])
def test_a_name_that_could_change_a_statement_is_refused(tiles: Tiles, table: str) -> None:
    """Names are checked before they reach any statement."""
    for act in (tiles.create_table, tiles.drop_table, lambda bad: tiles.read_entity(bad, "e")):
        with pytest.raises(CallerError, match="is not a valid name in the store"):
            act(table)


def test_a_timestamp_tells_who_wrote() -> None:
    """Attempt and flush come back; a later attempt is above every flush of an earlier one."""
    assert written_by(write_timestamp(7, 12)) == (7, 12)
    assert write_timestamp(2, 1) > write_timestamp(1, (1 << 30) - 1)


@pytest.mark.parametrize(
    ("role", "may_write"), [("job", True), ("service", False), ("test", False)]
)
def test_roles_have_the_least_rights(
    login: Callable[[Role], Connection],
    admin: Connection,
    name: str,
    role: Role,
    *,
    may_write: bool,
) -> None:
    """All read; only the job writes tiles, and it writes no snapshot and drops no table."""
    created = table_name(name, 1)
    CqlTiles(admin).create_table(created)
    tiles = CqlTiles(login(role))
    assert tiles.read_entity(created, "e") == []
    if may_write:
        tiles.write(created, "e", [RowWrite(level=0, start_ms=0, payload=b"a")], written=W1)
    else:
        with pytest.raises(StoreUnavailableError, match="this role is not allowed to do this"):
            tiles.write(created, "e", [RowWrite(level=0, start_ms=0, payload=b"a")], written=W1)
    with pytest.raises(StoreUnavailableError, match="this role is not allowed to do this"):
        tiles.drop_table(created)
    with pytest.raises(StoreUnavailableError, match="this role is not allowed to do this"):
        tiles._connection.run(f"INSERT INTO {admin.keyspace}.featuresets (name) VALUES ('x')")
    CqlTiles(admin).drop_table(created)


def test_an_entity_that_cannot_be_read_does_not_spoil_the_others(
    admin: Connection, name: str
) -> None:
    """Each entity has an answer of its own; an error is one of them."""
    tiles = CqlTiles(admin)
    table = table_name(name, 1)
    tiles.create_table(table)
    tiles.write(table, "e", [RowWrite(level=0, start_ms=0, payload=b"a")], written=W1)
    answers = tiles.read_tiles(table, [("", [(0, 0)]), ("e", [(0, 0)])])
    assert isinstance(answers[0], WorldError)
    assert answers[1] == [row(0, 0, b"a")]
    tiles.drop_table(table)
