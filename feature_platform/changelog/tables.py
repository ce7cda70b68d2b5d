"""The tables in ClickHouse: one of commands per feature set and generation, and what is loaded."""

from collections.abc import Mapping, Sequence

from feature_platform.changelog.blocks import FIXED, KINDS, TYPES, Column
from feature_platform.changelog.olap import Olap

LOADED = "loaded"
SIEVE = "_sieve"
"""What is behind a table's name in that of its sieve."""


def table_name(featureset: str, generation: int) -> str:
    """Return the table of a generation's commands."""
    return f"changes_{featureset}_g{generation}"


def quoted(name: str) -> str:
    """Return a column's name as it is written in SQL; names of columns hold no backtick."""
    return f"`{name}`"


def literal(text: str) -> str:
    """Return a text of any characters as an expression."""
    return f"unhex('{text.encode().hex()}')"


def create_loaded(olap: Olap) -> None:
    """Create the table of the next offset of each partition; the newest row of it counts."""
    olap.change(
        f"CREATE TABLE IF NOT EXISTS {LOADED} (topic String, topic_id String, part Int32,"
        " next_offset Int64, lost Int64, at_ms Int64) ENGINE = ReplacingMergeTree(next_offset)"
        " ORDER BY (topic, topic_id, part)"
    )


def create_changes(olap: Olap, table: str, keep_days: int) -> None:
    """Create a table of commands, with its fixed columns.

    A command that was loaded twice is one: attempt, subtask and number are its own. Every column of
    the key is in its order, as FINAL asks for. What says which entities are logged is kept.
    """
    kept = (
        f"toDateTime(intDiv(at_ms, 1000)) + toIntervalDay({keep_days}) DELETE"
        f" WHERE toInt8(kind) < {KINDS['watched']}"
    )
    kinds = ", ".join(f"'{name}' = {number}" for name, number in KINDS.items())
    types = dict(FIXED) | {"kind": f"Enum8({kinds})"}
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    olap.change(
        f"CREATE TABLE IF NOT EXISTS {table} ({columns}, fingerprint LowCardinality(String),"
        " at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(at_ms, 'UTC'),"
        " tile DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(tile_ms, 'UTC'))"
        " ENGINE = ReplacingMergeTree ORDER BY (entity, tile_ms, attempt, subtask, seq)"
        f" TTL {kept}"
    )
    if not olap.run(
        "SELECT 1 FROM system.tables WHERE database = currentDatabase()"
        f" AND name = {literal(table)}"
        f" AND position(create_table_query, 'toIntervalDay({keep_days})') > 0"
    ):
        olap.change(f"ALTER TABLE {table} MODIFY TTL {kept}")


def create_sieve(olap: Olap, table: str) -> str:
    """Create a table that reads rows as another one does, and keeps none; return its name."""
    drop_sieve(olap, table)
    olap.change(f"CREATE TABLE {table}{SIEVE} AS {table} ENGINE = Null")
    return f"{table}{SIEVE}"


def drop_sieve(olap: Olap, table: str) -> None:
    """Drop it."""
    olap.change(f"DROP TABLE IF EXISTS {table}{SIEVE}")


def column_names(olap: Olap, table: str, columns: Sequence[Column]) -> Mapping[int, str]:
    """Return under which name each column is in a table, by id; those that are missing are added.

    A column is known by its id, which is in its comment: one that was given another meaning has
    another id, and is beside the first as `name_id`.
    """
    known = {
        int(comment.removeprefix("id ")): name
        for name, comment in olap.run(
            "SELECT name, comment FROM system.columns WHERE database = currentDatabase()"
            f" AND table = '{table}' AND startsWith(comment, 'id ')"
        )
    }
    taken = {*known.values(), *dict(FIXED), "fingerprint", "at", "tile"}
    for each in columns:
        if each.id not in known:
            name = each.name if each.name not in taken else f"{each.name}_{each.id}"
            olap.change(
                f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {quoted(name)} {TYPES[each.type]}"
                f" COMMENT 'id {each.id}'"
            )
            known[each.id] = name
            taken.add(name)
    return known
