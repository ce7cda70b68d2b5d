"""Which columns of its source a query reads: what others hold makes no difference to it."""

from collections.abc import Iterator

from feature_platform.definition.expression import Expression, InnerSelect, Query
from feature_platform.definition.model import ColumnType, Source


def columns_read(query: Query, source: Source) -> tuple[tuple[str, ColumnType], ...]:
    """Return name and type of each column that is read, by name; entity and event time are.

    The order of the source's file would make a difference out of a moved line.
    """
    names = {query.entity, source.event_time}
    for expression in _innermost(query):
        names |= set(_columns(expression))
    read = [(name, kind) for name, kind in source.columns if name in names]
    return tuple(sorted(read, key=lambda column: column[0]))


def _innermost(query: Query) -> list[Expression]:
    """Return the expressions over the source's own columns."""
    if isinstance(query.origin, str):
        parts = [part for call in query.calls for part in (call.argument, call.filter)]
        return [part for part in (*parts, query.where) if part is not None]
    rows = query.origin
    while isinstance(rows.origin, InnerSelect):
        rows = rows.origin
    values = [value for _, value in rows.columns]
    return values if rows.where is None else [*values, rows.where]


def _columns(expression: Expression) -> Iterator[str]:
    if expression.op == "column":
        yield expression.value
    for argument in expression.args:
        yield from _columns(argument)
