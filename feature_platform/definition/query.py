"""Checks the shape of a query: one SELECT, grouped by the entity, over rows of one source."""
# `return refuse(...)` reports the mistake and gives None.
# mypy: disable-error-code="func-returns-value"

from dataclasses import dataclass

from sqlglot import exp

from feature_platform.definition.aggregates import aggregate_call, holds_aggregate, suggest_name
from feature_platform.definition.expression import AggregateCall, Expression, InnerSelect, Query
from feature_platform.definition.expressions import Checker
from feature_platform.definition.model import ColumnType, Source
from feature_platform.definition.names import check_column, check_name, unknown
from feature_platform.definition.refusals import CLAUSES
from feature_platform.definition.sql_text import SqlText
from feature_platform.definition.yaml_tree import Spot

_SELECT_PARTS = frozenset({"expressions", "from_", "where", "group", "with_"})
_NAMED_COLUMNS = "name columns with AS in the SELECT, not after the table's name"
_PAIR = "; to group by a pair, send it as one column of the event and make that the entity"
_TABLE_FUNCTION = (
    "table functions such as TUMBLE are not supported: define windows under `features:`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    """What a SELECT reads: its columns and under which name."""

    origin: InnerSelect | str
    columns: dict[str, ColumnType]
    alias: str
    where: str


class QueryReader:
    """Reads one query (mutable: knows the WITH parts met so far)."""

    def __init__(self, sql: SqlText, source: Source, entity: str) -> None:
        """Take what surrounds the query.

        Args:
            sql: The query; collects mistakes.
            source: The source it must read.
            entity: The column it must group by.
        """
        self.sql = sql
        self.source = source
        self.entity = entity
        self._parts: dict[str, InnerSelect | None] = {}
        self._used: set[str] = set()
        self.names: dict[str, Spot] | None = None
        """The aggregates and where they are, once all have been named."""

    def read(self) -> Query | None:
        """Return the checked query, or None if there was a mistake."""
        statement = self.sql.parse()
        if statement is None:
            return None
        before = len(self.sql.problems.found)
        if not isinstance(statement, exp.Select):
            return self._refuse_statement(statement)
        self._read_parts(statement)
        relation = self._relation(statement)
        self._refuse_clauses(statement)
        if relation is None:
            return None
        checker = Checker(self.sql, relation.columns, relation.alias, relation.where)
        where = self._where(statement, checker)
        self._check_group(statement)
        calls = self._calls(statement, checker)
        self._check_entities(statement, checker)
        self._refuse_unused(statement)
        if len(self.sql.problems.found) > before:
            return None
        return Query(entity=self.entity, origin=relation.origin, where=where, calls=calls)

    def _refuse_statement(self, statement: exp.Expr) -> None:
        if isinstance(statement, exp.SetOperation):
            msg = (
                "UNION and other set operations are not supported: filter with WHERE, or define "
                "two feature sets"
            )
        else:
            msg = "a feature set's SQL is one SELECT ... FROM source GROUP BY entity"
        self.sql.problems.add(self.sql.at(0), msg)

    def _refuse_clauses(self, select: exp.Expr) -> None:
        for key, value in select.args.items():
            if not value or key in _SELECT_PARTS:
                continue
            first = value[0] if isinstance(value, list) else value
            node = first if isinstance(first, exp.Expr) else select
            default = f"{key.strip('_').upper()} is not part of a feature set's SQL; remove it"
            self.sql.refuse(node, CLAUSES.get(key, default))

    def _read_parts(self, select: exp.Select) -> None:
        with_ = select.args.get("with_")
        if with_ is None:
            return
        if with_.args.get("recursive"):
            self.sql.refuse(with_, "WITH RECURSIVE is not supported: one event is one row")
        for part in with_.expressions:
            name = part.alias
            if name in self._parts or name == self.source.name:
                self.sql.refuse(part, f"the name `{name}` is already used; choose another")
            if part.args["alias"].columns:
                self.sql.refuse(part, _NAMED_COLUMNS)
            self._parts[name] = self._rows(part.this, part)

    def _refuse_unused(self, select: exp.Select) -> None:
        with_ = select.args.get("with_")
        for part in with_.expressions if with_ else ():
            if part.alias not in self._used:
                self.sql.refuse(part, f"WITH part `{part.alias}` is not used; remove it")

    def _relation(self, select: exp.Select) -> _Relation | None:
        from_ = select.args.get("from_")
        if from_ is None:
            msg = f"FROM is missing; write FROM {self.source.name}"
            return self.sql.refuse(select, msg)
        node = from_.this
        alias_node = node.args.get("alias")
        if isinstance(alias_node, exp.TableAlias) and alias_node.columns:
            self.sql.refuse(alias_node, _NAMED_COLUMNS)
        for key in ("joins", "pivots", "sample", "laterals"):
            if node.args.get(key):
                self.sql.refuse(node, CLAUSES[key])
        if isinstance(node, exp.Subquery):
            rows = self._rows(node.this, node)
            return None if rows is None else _over(rows, node.alias or "(inner SELECT)")
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            return self.sql.refuse(node, _TABLE_FUNCTION)
        return self._table(node)

    def _table(self, node: exp.Table) -> _Relation | None:
        extra = [key for key, value in node.args.items() if value and key not in {"this", "alias"}]
        if set(extra) - {"joins", "pivots", "sample", "laterals"}:
            msg = f"FROM requires a plain name: FROM {self.source.name}"
            return self.sql.refuse(node, msg)
        name = node.name
        if name in self._parts:
            self._used.add(name)
            rows = self._parts[name]
            return None if rows is None else _over(rows, node.alias or name)
        if name != self.source.name:
            known = [self.source.name, *self._parts]
            msg = unknown("table", name, known)
            return self.sql.refuse(node, f"{msg} (the query reads the feature set's `source`)")
        return _Relation(
            origin=name,
            columns=dict(self.source.columns),
            alias=node.alias or name,
            where=f"source `{name}`",
        )

    def _rows(self, select: exp.Expr, place: exp.Expr) -> InnerSelect | None:
        """Check an inner SELECT, which may transform and filter rows but not group them."""
        before = len(self.sql.problems.found)
        if not isinstance(select, exp.Select):
            return self.sql.refuse(place, "an inner query is one SELECT ... FROM ... WHERE ...")
        if select.args.get("with_"):
            return self.sql.refuse(select, "put WITH before the outer SELECT")
        if select.args.get("group"):
            self.sql.refuse(
                select.args["group"],
                "an inner SELECT cannot aggregate: put aggregates in the outer one",
            )
        relation = self._relation(select)
        self._refuse_clauses(select)
        if relation is None:
            return None
        checker = Checker(self.sql, relation.columns, relation.alias, relation.where)
        where = self._where(select, checker)
        columns = self._row_columns(select, checker)
        if len(self.sql.problems.found) > before:
            return None
        return InnerSelect(origin=relation.origin, columns=tuple(columns.items()), where=where)

    def _row_columns(self, select: exp.Select, checker: Checker) -> dict[str, Expression]:
        columns: dict[str, Expression] = {}
        seen: set[str] = set()
        for item in select.expressions:
            name = item.alias_or_name
            inner = item.unalias()
            if holds_aggregate(inner):
                msg = "an inner SELECT cannot aggregate: put aggregates in the outer one"
                self.sql.refuse(item, msg)
                continue
            value = checker.value(inner)
            if not name or isinstance(inner, exp.Star):
                if value is not None:
                    self.sql.refuse(item, "give this expression a name: ... AS name")
            elif name.lower() in seen:
                self.sql.refuse(item, f"two columns are named `{name}`; rename one of them")
            elif check_column(name, self.sql.spot(item), self.sql.problems) and value is not None:
                columns[name] = value
            seen.add(name.lower())
        self._check_passes_entity(select, columns, seen)
        return columns

    def _check_passes_entity(
        self, select: exp.Select, columns: dict[str, Expression], seen: set[str]
    ) -> None:
        passed = columns.get(self.entity)
        if passed is None and self.entity.lower() in seen:
            return
        if passed is None or (passed.op, passed.value) != ("column", self.entity):
            msg = (
                f"an inner SELECT must pass the entity through unchanged; add `{self.entity}` to it"
            )
            self.sql.refuse(select, msg)

    def _where(self, select: exp.Select, checker: Checker) -> Expression | None:
        where = select.args.get("where")
        if where is None:
            return None
        if holds_aggregate(where.this):
            msg = "WHERE applies to single rows and cannot contain an aggregate"
            return self.sql.refuse(where.this, msg)
        return checker.condition(where.this)

    def _check_group(self, select: exp.Select) -> None:
        group = select.args.get("group")
        if group is None:
            msg = f"GROUP BY is missing; end the query with GROUP BY {self.entity}"
            return self.sql.refuse(select, msg)
        keys = group.expressions
        extra = [key for key, value in group.args.items() if value and key != "expressions"]
        entity_alone = len(keys) == 1 and _is_column(keys[0], self.entity)
        if extra or not entity_alone:
            msg = (
                f"group by the entity only: GROUP BY {self.entity}{_PAIR if len(keys) > 1 else ''}"
            )
            return self.sql.refuse(group, msg)
        return None

    def _calls(self, select: exp.Select, checker: Checker) -> tuple[AggregateCall, ...]:
        calls: dict[str, AggregateCall] = {}
        names: dict[str, Spot] = {}
        items = [item for item in select.expressions if not _is_column(item, self.entity)]
        for item in items:
            name = self._item_name(item)
            if name in names:
                self.sql.refuse(item, f"two aggregates are named `{name}`; rename one of them")
            elif name is not None:
                names[name] = self.sql.spot(item)
                call = aggregate_call(self.sql, checker, item.unalias(), name)
                if call is not None:
                    calls[name] = call
        self.names = names if len(names) == len(items) else None
        if len(items) == len(select.expressions) and not any(item.is_star for item in items):
            self.sql.refuse(select, f"select the entity too: SELECT {self.entity}, ...")
        if not items:
            self.sql.refuse(
                select, "the query has no aggregate; add one, such as COUNT(*) AS events"
            )
        return tuple(calls.values())

    def _check_entities(self, select: exp.Select, checker: Checker) -> None:
        """Check the table before the entity, where one is named."""
        group = select.args.get("group")
        for node in [*select.expressions, *(group.expressions if group else ())]:
            if _is_column(node, self.entity):
                checker.check(node)

    def _item_name(self, item: exp.Expr) -> str | None:
        if isinstance(item, exp.Alias):
            place = self.sql.spot(item.args["alias"])
            return (
                item.alias if check_name(item.alias, "feature", place, self.sql.problems) else None
            )
        if item.is_star and not isinstance(item, exp.Anonymous | exp.Filter):
            return self.sql.refuse(item, "`*` is not supported; name the columns")
        if isinstance(item, exp.Column):
            name = item.name
            msg = (
                f"`{name}` is neither the entity `{self.entity}` nor an aggregate; "
                f"write LAST_VALUE({name}) AS {name.lower()}, or drop it"
            )
            return self.sql.refuse(item, msg)
        msg = f"this aggregate has no name; add AS {suggest_name(item)}"
        return self.sql.refuse(item, msg)


def _over(rows: InnerSelect, alias: str) -> _Relation:
    columns = {name: expression.type for name, expression in rows.columns}
    return _Relation(origin=rows, columns=columns, alias=alias, where="the inner SELECT")


def _is_column(node: exp.Expr, name: str) -> bool:
    return (
        isinstance(node, exp.Column) and node.name == name and not isinstance(node.this, exp.Star)
    )
