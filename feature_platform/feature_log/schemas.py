"""Columns of files that were written over time, brought together without a loss. Pure.

A list's columns come and go with its versions, and a type may change with a deployment. Whole
numbers and decimals are one column of decimals; of any other two types each keeps a column of its
own. Rows with other columns are never in one file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

KEY = {b"fp": b"key"}
"""What a column's field says of itself if it has the keys of a kind of entity."""
DECIMAL = pa.decimal128(38, 0)
"""Of whole numbers beyond 64 bits."""
_WHOLE = (pa.int64(), DECIMAL)


def joined_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return a type that holds all values of both as they are; None if there is none."""
    if one == other:
        return one
    return DECIMAL if one in _WHOLE and other in _WHOLE else None


def joined_schema(one: pa.Schema, other: pa.Schema) -> pa.Schema | None:
    """Return a schema for the rows of both; None if they differ in columns, or in a type.

    So each row of a file was served with all of its columns: a null is one that was served.
    """
    if sorted(one.names) != sorted(other.names):
        return None
    joined = [joined_type(field.type, other.field(field.name).type) for field in one]
    if None in joined:
        return None
    return pa.schema([field.with_type(kind) for field, kind in zip(one, joined, strict=True)])


def joined_schemas(schemas: Sequence[pa.Schema]) -> list[pa.Schema]:
    """Return, for each schema, the one of the file that it can be written to with others."""
    files: list[pa.Schema] = []
    of: list[int] = []
    for schema in schemas:
        pairs = ((number, joined_schema(each, schema)) for number, each in enumerate(files))
        place, joined = next(
            ((number, each) for number, each in pairs if each is not None), (len(files), schema)
        )
        files[place : place + 1] = [joined]
        of.append(place)
    return [files[place] for place in of]


def is_key(field: pa.Field) -> bool:
    """Return whether a column of a file has the keys of a kind of entity."""
    return (field.metadata or {}).get(b"fp") == b"key"


def conformed(table: pa.Table, schema: pa.Schema, names: Mapping[str, str]) -> pa.Table:
    """Return a table's columns as a schema has them; nulls where it has none.

    Args:
        table: What was read.
        schema: Columns of types that hold its values.
        names: By column of the schema, how the table calls it; a name that is not there is none.
    """
    count = len(table)
    arrays = []
    for field in schema:
        name = names.get(field.name, "")
        if name in table.column_names:
            arrays.append(table.column(name).cast(field.type))
        else:
            arrays.append(pa.chunked_array([pa.nulls(count, field.type)]))
    return pa.Table.from_arrays(arrays, schema=schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A column of one name and type, over some files."""

    name: str
    type: pa.DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSchema:
    """One schema for the files of a log."""

    schema: pa.Schema
    columns: tuple[_Typed, ...]
    """Of each field of the schema, how files call it."""

    @classmethod
    def of(cls, schemas: Sequence[pa.Schema]) -> "LogSchema":
        """Bring schemas together.

        A column whose type has changed has the name alone for the newest type, and for each other
        one the name with the type, such as `spend_1d (int64)`.

        Args:
            schemas: Of files, the newest last.
        """
        types: dict[str, list[pa.DataType]] = {}
        for schema in reversed(schemas):
            for field in schema:
                _take(types.setdefault(field.name, []), field.type)
        return cls(
            schema=pa.schema(list(_named(types))),
            columns=tuple(
                _Typed(name=name, type=each) for name, kinds in types.items() for each in kinds
            ),
        )

    def names_in(self, schema: pa.Schema) -> dict[str, str]:
        """Return, by field of the whole, how a file calls it; fields that it lacks are left out."""
        return {
            field.name: column.name
            for field, column in zip(self.schema, self.columns, strict=True)
            if column.name in schema.names
            and joined_type(column.type, schema.field(column.name).type) == column.type
        }


def _take(types: list[pa.DataType], new: pa.DataType) -> None:
    """Add a type to those of a column, or widen the one that holds its values."""
    for place, known in enumerate(types):
        joined = joined_type(known, new)
        if joined is not None:
            types[place] = joined
            return
    types.append(new)


def _named(types: Mapping[str, Sequence[pa.DataType]]) -> Iterator[tuple[str, pa.DataType]]:
    for name, each in types.items():
        yield name, each[0]
        yield from ((f"{name} ({kind})", kind) for kind in each[1:])
